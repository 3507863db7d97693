"""Python's garbage collector in a process that lives for weeks and answers thousands a second."""

import gc

# Reference counts free nearly everything of a request; what is left are a few rings that can wait.
AFTER_SO_MANY = 20_000


def collect_seldom() -> None:
    """Leave out what has been loaded by now, and look at the rest less often.

    Usually the collector looks after every 700 new objects, which two requests make, and each time
    in a while at everything: measured, a tenth of what a call of the next person costs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(AFTER_SO_MANY, 20, 50)
