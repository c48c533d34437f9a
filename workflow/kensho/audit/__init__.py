"""Published figures held against themselves: what its own numbers say of a table.

Every check is a pure function of figures as they were printed, in exact arithmetic, and answers
CONSISTENT, IMPOSSIBLE or NOT CHECKABLE in one sentence that shows the arithmetic. A printed figure
stands for the closed range of all values that round to it, whichever way halves go, so nothing is
called impossible for the sake of a rounding rule. An impossible figure is a finding about the
sentence that it stands in: of what was measured it says nothing.
"""
