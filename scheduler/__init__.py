"""Who, when, where: pure decisions. Facts and `now` in, choice out; none of our rooms.

Only `jobs` does anything: it runs the timetable and the job queue that it is handed.
"""
