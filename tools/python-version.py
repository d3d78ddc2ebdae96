import sys

print(f"Python {sys.version} on {sys.platform}")
