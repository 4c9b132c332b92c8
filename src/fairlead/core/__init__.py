"""The rules: what a command changes and what a read finds.

Rule: nothing in this package touches asyncio, a clock, chance, files, sockets
or logging. Time and ids arrive inside commands.
"""
