"""What the project raises on purpose: each message names the file, the value and the remedy."""


class InputError(ValueError):
    """Something the user gave is wrong: a file, a folder, a calibration or a parameter.

    The message says which file, which value, and what to do about it. The command line prints
    it without a traceback.
    """


class TrainingDivergedError(RuntimeError):
    """A training stage can't go on: NaN, no proposals, attention gone to zero.

    The message says what was seen, at which iteration, which parameters bear on it, and where
    the last good checkpoint lies.
    """
