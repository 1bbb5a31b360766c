"""A second implementation of Verbatim's arithmetic, receipts and beacons, written from spec/ alone.

It shares no code, no constants file and no build with the C engine: the two agree only
because the text that both follow says so. It is made to be read and checked, not to be fast.
Needs Python 3.9 and numpy; every float operation is an elementwise numpy add, subtract,
multiply, divide or square root on float32 (each correctly rounded, none fused). numpy's own
sum, dot, exp and the like are never used on floats, since their order and rounding are free.
"""
