"""Reconciling: each channel's statement of a day against our ledger, and what differs as cases."""
