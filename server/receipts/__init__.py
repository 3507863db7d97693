"""Receipts 票据: on screen and paper, and the page where anybody may check one."""
