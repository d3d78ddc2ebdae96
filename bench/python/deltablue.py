"""One-way constraints with strengths, in the manner of the DeltaBlue solver: polymorphic calls, sets, lists."""

REQUIRED, STRONG, WEAK = 0, 1, 2


class Variable:
    def __init__(self, value):
        self.value = value
        self.constraints = []
        self.determined_by = None
        self.strength = WEAK + 1
        self.mark = 0


class Constraint:
    strength = REQUIRED

    def __init__(self, *variables):
        self.variables = variables
        self.output = None
        for v in variables:
            v.constraints.append(self)

    def choose(self, mark):
        """The weakest output that this constraint may take over, or None."""
        best = None
        for v in self.outputs():
            if v.mark != mark and v.strength > self.strength and (best is None or v.strength > best.strength):
                best = v
        return best


class Stay(Constraint):
    strength = WEAK

    def outputs(self):
        return self.variables

    def execute(self):
        pass


class Edit(Constraint):
    strength = STRONG

    def outputs(self):
        return self.variables

    def execute(self):
        pass


class Equal(Constraint):
    def outputs(self):
        return self.variables

    def execute(self):
        a, b = self.variables
        if self.output is a:
            a.value = b.value
        else:
            b.value = a.value


class Scale(Constraint):
    def __init__(self, source, factor, offset, target):
        super().__init__(source, target)
        self.factor, self.offset = factor, offset

    def outputs(self):
        return self.variables

    def execute(self):
        source, target = self.variables
        if self.output is target:
            target.value = source.value * self.factor + self.offset
        else:
            source.value = (target.value - self.offset) // self.factor


class Planner:
    def __init__(self):
        self.mark = 0

    def satisfy(self, constraint):
        self.mark += 1
        while constraint is not None:
            out = constraint.choose(self.mark)
            if out is None:
                constraint.output = None
                return
            overridden = out.determined_by
            constraint.output = out
            out.determined_by = constraint
            out.mark = self.mark
            others = [v.strength for v in constraint.variables if v is not out]
            out.strength = max([constraint.strength] + others) if others else constraint.strength
            if overridden is not None:
                overridden.output = None
            self.propagate(out)
            constraint = overridden

    def downstream(self, variable):
        plan, seen, todo = [], {variable}, [variable]
        while todo:
            v = todo.pop()
            for c in v.constraints:
                out = c.output
                if out is not None and out is not v and out not in seen and c is not v.determined_by:
                    seen.add(out)
                    plan.append(c)
                    todo.append(out)
        return plan

    def propagate(self, variable):
        for c in self.downstream(variable):
            others = [v.strength for v in c.variables if v is not c.output]
            c.output.strength = max([c.strength] + others)
            c.execute()

    def change(self, variable, values):
        edit = Edit(variable)
        self.satisfy(edit)
        plan = self.downstream(variable)
        total = 0
        for value in values:
            variable.value = value
            for c in plan:
                c.execute()
            total += sum(v.value for v in variable.constraints[0].variables)
        variable.constraints.remove(edit)
        variable.determined_by = None
        variable.strength = WEAK + 1
        return total


def chain(length):
    planner = Planner()
    variables = [Variable(0) for _ in range(length + 1)]
    for a, b in zip(variables, variables[1:]):
        planner.satisfy(Equal(a, b))
    planner.satisfy(Stay(variables[-1]))
    total = planner.change(variables[0], range(20))
    return total + variables[-1].value


def projection(size):
    planner = Planner()
    total = 0
    pairs = []
    for i in range(size):
        source, target = Variable(i), Variable(i)
        planner.satisfy(Stay(source))
        planner.satisfy(Scale(source, 10, 1000, target))
        pairs.append((source, target))
    for source, target in pairs:
        total += planner.change(source, (17, 23)) + target.value
    return total


def bench(n):
    return sum(chain(100) + projection(100) for _ in range(n))
