# Two commands matter: `make run` starts the demo city, `make test` runs every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# A city is many processes, each of which would compile what is not, where Python may not keep it.
COMPILED := $(BIN)/python -m compileall -q app.py server models scheduler integrations migrations

.PHONY: run test lock chromium clean

run: $(VENV)/.installed
	@$(COMPILED)
	@exec $(BIN)/python app.py demo

test: $(VENV)/.installed-dev chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(COMPILED)
	$(BIN)/pytest -n 2

# An install is repeated only when its lock file changed, so that a second start needs no network.
$(VENV)/.installed: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Yiting needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	touch $@

# The page tests drive Debian's Chromium; without the right to install it they say so and skip.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null; } || \
	echo "Chromium is missing and may not be installed here: the page tests will skip."

# Swagger UI's files come in a package that names Django, which serving them does not need: it stays
# out of the lock files, as do what python-escpos needs for its own command only. Installs use --no-deps because the lock files are complete without it.
COMPILE := $(BIN)/python -m piptools compile --quiet --strip-extras --generate-hashes --no-header --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --no-emit-options \
	--unsafe-package django --unsafe-package asgiref --unsafe-package sqlparse \
	--unsafe-package appdirs --unsafe-package argcomplete
lock:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) .yiting
