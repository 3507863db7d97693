"""Notices 通知: the inbox, how people want to be told, and the couriers that tell them."""
