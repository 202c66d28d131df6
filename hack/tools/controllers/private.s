// Empty: lets private.go name functions of other packages.
