"""Plans and propagates one-way constraints of different strengths: a chain of equalities under edits, and scaled pairs."""
REQUIRED, PREFERRED, WEAK, NONE = range(4)


class Variable:
    def __init__(self, value=0):
        self.value = value
        self.constraints = []
        self.source = None  # the constraint that sets it
        self.strength = NONE


class Constraint:
    """Sets `target` from `inputs` by `function`, as strongly as `strength`."""

    def __init__(self, strength, target, inputs=(), function=None):
        self.strength, self.target, self.inputs, self.function = strength, target, inputs, function
        for variable in (target, *inputs):
            variable.constraints.append(self)

    def strength_of_result(self):
        return max([self.strength, *(variable.strength for variable in self.inputs)])

    def run(self):
        if self.function:
            self.target.value = self.function(*(variable.value for variable in self.inputs))


class Solver:
    def add(self, constraint):
        """The strongest constraint of a variable sets it; whoever it displaces is dropped, unless it is required too."""
        old = constraint.target.source
        if old and old.strength <= constraint.strength:
            if old.strength == constraint.strength == REQUIRED:
                raise ValueError("two required constraints want one variable")
            return False
        constraint.target.source = constraint
        for step in self.plan(constraint):
            step.target.strength = step.strength_of_result()
            step.run()
        return True

    def remove(self, constraint):
        if constraint.target.source is constraint:
            constraint.target.source = None
            constraint.target.strength = NONE
        for variable in (constraint.target, *constraint.inputs):
            variable.constraints.remove(constraint)

    def plan(self, first):
        """The constraints that `first` has an effect on, in the order of their inputs."""
        order, seen = [], set()

        def visit(constraint):
            if id(constraint) in seen:
                raise ValueError("the constraints are a cycle")
            seen.add(id(constraint))
            order.append(constraint)
            for other in constraint.target.constraints:
                if constraint.target in other.inputs and other.target.source is other:
                    pending.append(other)

        pending = [first]
        while pending:
            visit(pending.pop())
        return order

    def edit(self, variable, values):
        edit = Constraint(PREFERRED, variable)
        assert self.add(edit)
        plan = self.plan(edit)
        for value in values:
            variable.value = value
            for step in plan:
                step.run()
            yield
        self.remove(edit)


def chain(length):
    solver, variables = Solver(), [Variable() for _ in range(length)]
    for source, target in zip(variables, variables[1:]):
        solver.add(Constraint(REQUIRED, target, (source,), lambda value: value))
    total = 0
    for _ in solver.edit(variables[0], range(50)):
        assert variables[-1].value == variables[0].value
        total += variables[-1].value
    return total


def projection(size):
    solver, scale, offset = Solver(), Variable(10), Variable(1000)
    pairs = [(Variable(i), Variable()) for i in range(size)]
    for source, target in pairs:
        solver.add(Constraint(WEAK, source))
        solver.add(Constraint(REQUIRED, target, (source, scale, offset), lambda value, scale, offset: value * scale + offset))
    for _ in solver.edit(pairs[0][0], [17]):
        assert pairs[0][1].value == 1170
    for _ in solver.edit(scale, [5]):
        assert all(target.value == source.value * 5 + 1000 for source, target in pairs)
    for _ in solver.edit(offset, [2000]):
        assert all(target.value == source.value * 5 + 2000 for source, target in pairs)
    return sum(target.value for _, target in pairs)


def faasm_main():
    checksum = sum(chain(200) + projection(200) for _ in range(5))
    assert checksum == 5 * (1225 + 5 * (sum(range(200)) + 17) + 200 * 2000), checksum
    return str(checksum)
