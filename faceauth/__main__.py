"""``python -m faceauth``: the same as the console script."""

from faceauth_command import main

if __name__ == "__main__":
    main()
