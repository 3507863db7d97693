"""Whom something concerns: audience rules over what people let be known of them. Pure.

A rule's expression is read (`language`), judged for one person (`judging`) or for a million at once
(`columns`), and told in words (`explaining`). `rules` holds a rule with what it may read, `chains`
one thing after another in a life. docs/matching.md shows the language.
"""
