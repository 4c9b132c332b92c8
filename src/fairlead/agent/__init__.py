"""The running process: what it does by itself, without being asked.

Each loop is a file; `agent.py` starts and stops them.
"""
