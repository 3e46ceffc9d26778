"""What a type checker must accept; python_stubs_test.py runs mypy --strict over it and the package."""

from typing import Any

import numpy
import numpy.typing
import xrun


def use(path: str) -> dict[str, numpy.typing.NDArray[Any]]:
    session = xrun.Session(path, device="sim", in_flight=4, timeout=2.0, priority=xrun.Priority.HIGH)
    x = numpy.zeros(session.inputs[0].shape, numpy.float32)
    outputs: list[numpy.typing.NDArray[Any]] = session.run(None, {"x": x})
    job: xrun.Job = session.submit({"x": session.preprocess("cat.jpg")})
    text: str = session.profile(x).to_csv()
    try:
        return job.wait(timeout=1.0)
    except xrun.Error as error:
        print(error.code, error.message, error.hint, text, outputs)
        raise
