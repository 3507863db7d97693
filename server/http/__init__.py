"""HTTP itself: how routes are declared, what is read of a request, and how answers go out."""
