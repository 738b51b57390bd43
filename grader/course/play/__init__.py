"""Deploy, write, trouble and watch a learner's stack; knows no finding."""
