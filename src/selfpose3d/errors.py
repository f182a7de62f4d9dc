"""The errors that the project raises on purpose."""


class InputError(ValueError):
    """A file, a folder, a calibration or a parameter given by the user is wrong.

    The message names the file, the value and the remedy. The command line prints it without a
    traceback.
    """


class TrainingDivergedError(RuntimeError):
    """A training stage can't continue: a loss is NaN, nobody is proposed, or attention is zero.

    The message says what was observed at which iteration, which parameters influence it, and where
    the last good checkpoint is.
    """
