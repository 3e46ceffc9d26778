"""Sessions and jobs: dictionaries of numpy arrays in, numpy arrays out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy
import numpy.typing

from xrun._xrun import Device, NativeSession, Priority, Profile, Program, Request, TensorInfo
from xrun.error import Error

Array = numpy.typing.NDArray[Any]


def _as_given(info: TensorInfo, value: numpy.typing.ArrayLike) -> Array:
    """The caller's array as the library reads it: contiguous, of the tensor's type or float32 for int8."""
    array = numpy.asarray(value)
    if not array.flags.c_contiguous:
        array = numpy.ascontiguousarray(array)
    if array.dtype != info.dtype and not (array.dtype == numpy.float32 and info.dtype == numpy.int8):
        wanted = "float32 or int8" if info.dtype == numpy.int8 else str(info.dtype)
        raise Error("invalid", f"input '{info.name}' takes {wanted}, given {array.dtype}",
                    f"x.astype(numpy.{'float32' if info.dtype == numpy.int8 else info.dtype})")
    return array


def _runs_of(info: TensorInfo, array: Array) -> int:
    """How many runs an array is: its leading dimension may be a multiple, or be left out when it is 1."""
    shape = info.shape
    if array.shape == shape or (shape[:1] == (1,) and array.shape == shape[1:]):
        return 1
    if shape and array.ndim == len(shape) and array.shape[1:] == shape[1:]:
        runs, rest = divmod(array.shape[0], shape[0])
        if rest == 0 and runs > 0:
            return runs
    raise Error("invalid", f"input '{info.name}' has shape {list(shape)}, given {list(array.shape)}",
                "a leading dimension N times as large is N runs")


def _known(kind: str, infos: Sequence[TensorInfo], names: Sequence[str]) -> list[TensorInfo]:
    by_name = {info.name: info for info in infos}
    for name in names:
        if name not in by_name:
            raise Error("invalid", f"the program has no {kind} '{name}'", f"its {kind}s: {', '.join(by_name)}")
    return [by_name[name] for name in names]


class Job:
    """A request under way; made by Session.submit. Dropping it cancels it."""

    def __init__(self, request: Request, outputs: Sequence[TensorInfo], raw: bool) -> None:
        self._request = request
        self._outputs = outputs
        self._raw = raw
        self._result: Optional[dict[str, Array]] = None

    def wait(self, timeout: Optional[float] = None) -> dict[str, Array]:
        """Outputs by name. Raises xrun.Error: the request's own, or code "timeout" when it is still under way after
        `timeout` seconds, which changes nothing about it."""
        if self._result is None:
            if timeout is None:
                self._request.wait()
            elif not self._request.wait_for(timeout):
                raise Error("timeout", f"job not done after {timeout:g} s; it is still under way",
                            "wait again, or cancel() it")
            views = ((info, self._request.output(info.name)) for info in self._outputs)
            self._result = {
                info.name: info.dequantize(view) if info.dtype == numpy.int8 and not self._raw else view.copy()
                for info, view in views
            }
        return self._result

    def done(self) -> bool:
        """Whether wait() returns, or raises, at once."""
        if self._result is not None:
            return True
        try:
            return self._request.wait_for(0.0)
        except Error:
            return True

    def cancel(self) -> None:
        """Asks it to end early; wait() then raises with code "cancelled" unless it was done before."""
        self._request.cancel()


class Session:
    """A program on a device. Any thread may use it; the interpreter lock is released while it works.

    program: path of a .xprog file, or a Program.
    device: "sim", "sim:B4096", "xrt:0", or a Device that sessions share.
    in_flight: requests whose memory is set up in advance, and the most that run() has under way at a time.
    timeout: seconds from submit to completion, after which a request fails with code "timeout"; None: no limit.
    launches, requests_per_launch, cpu_threads, priority: as SessionOptions in xrun/session.h.
    """

    def __init__(self,
                 program: Union[str, os.PathLike[str], Program],
                 device: Union[str, Device] = "sim",
                 in_flight: int = 4,
                 timeout: Optional[float] = None,
                 *,
                 launches: int = 0,
                 requests_per_launch: int = 8,
                 cpu_threads: int = 0,
                 priority: Priority = Priority.NORMAL) -> None:
        self.program = program if isinstance(program, Program) else Program(os.fspath(program))
        self.device = device if isinstance(device, Device) else Device(device)
        self._native = NativeSession(self.device, self.program, in_flight, 0.0 if timeout is None else timeout,
                                     launches, requests_per_launch, cpu_threads, priority)
        self._inputs = self.program.inputs
        self._outputs = self.program.outputs

    @property
    def inputs(self) -> list[TensorInfo]:
        return self._inputs

    @property
    def outputs(self) -> list[TensorInfo]:
        return self._outputs

    def _arrays(self, inputs: Mapping[str, numpy.typing.ArrayLike]) -> tuple[dict[str, Array], int]:
        arrays: dict[str, Array] = {}
        runs = 1
        for i, info in enumerate(_known("input", self._inputs, list(inputs))):
            array = _as_given(info, inputs[info.name])
            of_this = _runs_of(info, array)
            if i > 0 and of_this != runs:
                raise Error("invalid", f"input '{info.name}' is {of_this} runs, the ones before it {runs}",
                            "all inputs must have the same number of samples")
            runs = of_this
            arrays[info.name] = array
        return arrays, runs

    def run(self, output_names: Optional[Sequence[str]], inputs: Mapping[str, numpy.typing.ArrayLike], *,
            raw: bool = False) -> list[Array]:
        """The outputs named, all for None, in this order. int8 tensors take int8 or float32, and give float32, or
        int8 when `raw`. Inputs whose leading dimension is N times as large are N runs, up to in_flight at once."""
        infos = self._outputs if output_names is None else _known("output", self._outputs, output_names)
        arrays, runs = self._arrays(inputs)
        results: dict[str, Array] = {}
        for info in infos:
            shape = info.shape if runs == 1 else (runs * info.shape[0], *info.shape[1:]) if info.shape else (runs,)
            floats = info.dtype == numpy.int8 and not raw
            results[info.name] = numpy.empty(shape, numpy.float32 if floats else info.dtype)
        self._native.run(arrays, results)
        return [results[info.name] for info in infos]

    def submit(self, inputs: Mapping[str, numpy.typing.ArrayLike], *, raw: bool = False,
               priority: Optional[Priority] = None) -> Job:
        """Starts one run and returns at once; the arrays are copied."""
        arrays, runs = self._arrays(inputs)
        if runs != 1 or len(arrays) != len(self._inputs):
            missing = [info.name for info in self._inputs if info.name not in arrays]
            raise Error("invalid", f"missing inputs: {', '.join(missing)}" if missing else
                        f"submit takes one run, given the arrays of {runs}", "run() takes several")
        request = self._native.request()
        for info in self._inputs:
            array = arrays[info.name]
            if array.dtype != info.dtype:
                array = info.quantize(array)
            request.input(info.name)[...] = array.reshape(info.shape)
        if priority is not None:
            request.set_priority(priority)
        request.submit()
        return Job(request, self._outputs, raw)

    def request(self) -> Request:
        """A request of one's own: its input and output arrays are the memory the runtime works on, not copies."""
        return self._native.request()

    def preprocess(self, path: Union[str, os.PathLike[str]], name: str = "") -> Array:
        """One sample from a picture (or .npy) by the program's preprocessing, for input `name` (the only one: "")."""
        values = self._native.preprocess(os.fspath(path), name)
        info = _known("input", self._inputs, [name])[0] if name else self._inputs[0]
        return values.reshape(info.shape)

    def device_bytes(self, name: str) -> int:
        """Bytes of an input or output in the device's own layout; 0 when it has none."""
        return self._native.device_bytes(name)

    def profile(self, inputs: Union[Mapping[str, numpy.typing.ArrayLike], numpy.typing.ArrayLike]) -> Profile:
        """Where the time of one run goes, by layer; says of each figure whether it is modelled or measured. An array
        will do when the program has one input."""
        if not isinstance(inputs, Mapping):
            if len(self._inputs) != 1:
                raise Error("invalid", f"the program has {len(self._inputs)} inputs",
                            "give a dictionary of arrays by name")
            inputs = {self._inputs[0].name: inputs}
        return self._native.profile(self._arrays(inputs)[0])
