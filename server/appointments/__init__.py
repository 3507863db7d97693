"""Appointments 预约: slots planned, places booked, kept, given up, offered on, and checked in."""
