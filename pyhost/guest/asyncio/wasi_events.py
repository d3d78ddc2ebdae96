"""asyncio in a sandbox. There is one thread and there are no signals, so only time and descriptors wake a loop: it needs no self-pipe,
and work for an executor is done at once. Sockets are those that the sandbox is allowed."""
import selectors

from . import unix_events

__all__ = unix_events.__all__


class _Selector(selectors.DefaultSelector):
    def select(self, timeout=None):
        if timeout is None and not self.get_map():
            raise RuntimeError("deadlock: all tasks wait for one another, and nothing else can wake the loop")
        return super().select(timeout)


class _WasiEventLoop(unix_events._UnixSelectorEventLoop):
    def __init__(self, selector=None):
        super().__init__(_Selector() if selector is None else selector)

    def _make_self_pipe(self):
        pass

    def _close_self_pipe(self):
        pass

    def _write_to_self(self):
        pass

    def add_signal_handler(self, sig, callback, *args):
        raise NotImplementedError("a sandbox gets no signals")

    def remove_signal_handler(self, sig):
        raise NotImplementedError("a sandbox gets no signals")

    async def _make_subprocess_transport(self, *args, **kwargs):
        raise NotImplementedError("a sandbox has no processes")

    def run_in_executor(self, executor, func, *args):
        if executor is not None or self._default_executor is not None:
            return super().run_in_executor(executor, func, *args)
        self._check_closed()
        self._check_callback(func, "run_in_executor")
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except (SystemExit, KeyboardInterrupt):
            raise
        except StopIteration as error:
            future.set_exception(RuntimeError(f"the function raised StopIteration: {error}"))
        except BaseException as error:
            future.set_exception(error)
        return future


class _WasiDefaultEventLoopPolicy(unix_events._UnixDefaultEventLoopPolicy):
    _loop_factory = _WasiEventLoop


for _name in unix_events.__all__:
    globals()[_name] = getattr(unix_events, _name)
SelectorEventLoop = EventLoop = _WasiEventLoop
DefaultEventLoopPolicy = _WasiDefaultEventLoopPolicy
