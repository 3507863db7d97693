"""How fast it is: measurements of a still demo city against what Sanic and PostgreSQL can do bare.

A measurement is one function with `@measurement`, in a module that `measurements.py` imports.
"""
