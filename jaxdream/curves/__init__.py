"""Curves: settings and objectives that change over the frames of a film.

    step_size: 0 0.5, 4s 2.0 in-out
    zoom: 0.02 + 0.01*sin(2*pi*t/3)
    objective: 0 inception_3b/output, 50% inception_4c/output

``text`` reads them, ``curve`` says what they are at a moment, ``objectives`` makes one objective
of those that a curve fades between.
"""
