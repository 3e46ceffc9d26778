"""xrun: run compiled models (.xprog) on the overlay, or on its simulator.

    sess = xrun.Session("resnet.xprog", device="sim", in_flight=4)
    y, = sess.run(None, {"input": x})
    jobs = [sess.submit({"input": sess.preprocess("cat.jpg")}) for _ in range(8)]
    print([job.wait(timeout=1.0)["output"].argmax() for job in jobs])
"""

from xrun._xrun import (Buffer, Device, Priority, Profile, ProfileLayer, Program, Request, TensorInfo, __version__)
from xrun.error import Error
from xrun.session import Job, Session

__all__ = [
    "Buffer", "Device", "Error", "Job", "Priority", "Profile", "ProfileLayer", "Program", "Request", "Session",
    "TensorInfo", "__version__"
]
