"""An operating system's task scheduler, after Martin Richards' benchmark: objects, methods, linked lists."""

IDLE, WORKER, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B = range(6)
KIND_DEVICE, KIND_WORK = 0, 1
BUFFER = 4


class Packet:
    def __init__(self, link, ident, kind):
        self.link = link
        self.ident = ident
        self.kind = kind
        self.datum = 0
        self.data = [0] * BUFFER

    def append_to(self, queue):
        self.link = None
        if queue is None:
            return self
        last = queue
        while last.link is not None:
            last = last.link
        last.link = self
        return queue


class Task:
    def __init__(self, system, ident, priority, queue):
        self.system = system
        self.ident = ident
        self.priority = priority
        self.queue = queue
        self.waiting = queue is None
        self.holding = False
        system.add(self)

    def add_packet(self, packet, sender):
        if self.queue is None:
            self.queue = packet
            if self.waiting:
                self.waiting = False
                if self.priority > sender.priority:
                    return self
        else:
            packet.append_to(self.queue)
        return sender

    def take(self):
        packet = self.queue
        self.queue = packet.link
        packet.link = None
        return packet

    def runnable(self):
        return not self.holding and (self.queue is not None or not self.waiting)

    def wait(self):
        self.waiting = True
        return self

    def hold(self):
        self.system.holds += 1
        self.holding = True
        return self.system.next_after(self)

    def release(self, ident):
        task = self.system.tasks[ident]
        task.holding = False
        return task if task.priority > self.priority else self

    def send(self, packet):
        target = self.system.tasks[packet.ident]
        self.system.queued += 1
        packet.link = None
        packet.ident = self.ident
        return target.add_packet(packet, self)


class Idle(Task):
    def __init__(self, system, count):
        super().__init__(system, IDLE, 0, None)
        self.waiting = False
        self.control = 1
        self.count = count

    def step(self):
        self.count -= 1
        if self.count == 0:
            return self.hold()
        if self.control & 1 == 0:
            self.control //= 2
            return self.release(DEVICE_A)
        self.control = (self.control // 2) ^ 0xD008
        return self.release(DEVICE_B)


class Worker(Task):
    def __init__(self, system, queue):
        super().__init__(system, WORKER, 1000, queue)
        self.destination = HANDLER_A
        self.letter = 0

    def step(self):
        if self.queue is None:
            return self.wait()
        packet = self.take()
        self.destination = HANDLER_B if self.destination == HANDLER_A else HANDLER_A
        packet.ident = self.destination
        packet.datum = 0
        for i in range(BUFFER):
            self.letter = self.letter % 26 + 1
            packet.data[i] = 64 + self.letter
        return self.send(packet)


class Handler(Task):
    def __init__(self, system, ident, priority, queue):
        super().__init__(system, ident, priority, queue)
        self.work = None
        self.device = None

    def step(self):
        if self.queue is not None:
            packet = self.take()
            if packet.kind == KIND_WORK:
                self.work = packet.append_to(self.work)
            else:
                self.device = packet.append_to(self.device)
        work = self.work
        if work is not None:
            if work.datum >= BUFFER:
                self.work = work.link
                return self.send(work)
            if self.device is not None:
                device = self.device
                self.device = device.link
                device.datum = work.data[work.datum]
                work.datum += 1
                return self.send(device)
        return self.wait()


class Device(Task):
    def __init__(self, system, ident, priority):
        super().__init__(system, ident, priority, None)
        self.pending = None

    def step(self):
        if self.queue is None:
            if self.pending is None:
                return self.wait()
            packet, self.pending = self.pending, None
            return self.send(packet)
        self.pending = self.take()
        return self.hold()


class System:
    def __init__(self):
        self.tasks = {}
        self.order = []
        self.holds = self.queued = 0

    def add(self, task):
        self.tasks[task.ident] = task
        self.order.insert(0, task)
        self.order.sort(key=lambda t: -t.priority)

    def next_after(self, task):
        at = self.order.index(task) + 1
        return self.order[at] if at < len(self.order) else None

    def run(self):
        task = self.order[0]
        while task is not None:
            task = task.step() if task.runnable() else self.next_after(task)


def bench(n):
    total = 0
    for _ in range(n):
        system = System()
        Idle(system, 2000)
        Worker(system, Packet(Packet(None, 0, KIND_WORK), 0, KIND_WORK))
        for ident, device, priority in ((HANDLER_A, DEVICE_A, 2000), (HANDLER_B, DEVICE_B, 3000)):
            queue = None
            for _ in range(3):
                queue = Packet(queue, device, KIND_DEVICE)
            Handler(system, ident, priority, queue)
        Device(system, DEVICE_A, 4000)
        Device(system, DEVICE_B, 5000)
        system.run()
        total += system.queued * 31 + system.holds
    return total
