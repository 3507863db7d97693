"""How a process of ours is watched: health, figures, logs, memory."""
