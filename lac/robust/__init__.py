"""How a policy behaves when its system is not the one it was trained in: tests over grids of disturbances.

It is named apart from the function ``lac.robustness``, which a package of that name would hide.
"""
