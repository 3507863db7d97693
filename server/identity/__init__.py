"""Who a citizen really is: her phone, her real name, and her accounts joined into one."""
