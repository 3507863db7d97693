"""How fast it is: measurements of a still demo city against what Sanic and PostgreSQL do bare.

A measurement is a function with `@measurement`, in a module that `run.py` names.
"""
