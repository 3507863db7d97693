"""Payments 缴费: bills, orders through channels, their callbacks, refunds."""
