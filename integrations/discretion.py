"""Keeps secrets that platforms want in query strings out of the log."""

import logging

import httpx


class _WithoutQuery(logging.Filter):
    """Cuts the query from every URL in a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg
                for arg in record.args
            )
        return True


_WITHOUT_QUERY = _WithoutQuery()


def hush_httpx() -> None:
    """Make httpx log URLs without their query; asking twice changes nothing.

    httpx writes every URL at INFO, and WeChat's and the province's carry our secret, codes and
    access tokens.
    """
    logging.getLogger("httpx").addFilter(_WITHOUT_QUERY)
