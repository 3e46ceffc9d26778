"""The Python package as its users see it. python_test.py PROGRAMS (where make_programs wrote)."""

import os
import pickle
import sys
import threading
import time
import unittest

import numpy
import xrun

PROGRAMS = sys.argv.pop(1)
SHAPE = (1, 12, 4, 4)


def path_of(name):
    return os.path.join(PROGRAMS, name + ".xprog")


def random_int8(seed, runs=1):
    return numpy.random.default_rng(seed).integers(-128, 128, (runs, *SHAPE[1:]), numpy.int8)


def relu(q):
    return numpy.maximum(q, 0)


class Sessions(unittest.TestCase):

    def setUp(self):
        self.relu = xrun.Session(path_of("relu"), device="sim:check", in_flight=4, timeout=10.0)
        self.mixed = xrun.Session(path_of("mixed"))

    def test_tensors_say_what_they_are(self):
        (x,) = self.relu.inputs
        self.assertEqual((x.name, x.shape, x.dtype, x.scale, x.zero_point), ("x", SHAPE, numpy.int8, 0.5, 0))
        p, y = self.mixed.outputs
        self.assertEqual((p.name, p.dtype, p.scale, p.zero_point), ("p", numpy.float32, None, None))
        self.assertEqual(self.mixed.program.model_name, "relu")
        self.assertEqual(self.mixed.program.configuration, "B512")
        self.assertIn("simulator", self.relu.device.description)

    def test_run_is_onnxruntimes(self):
        q = random_int8(1)
        (y,) = self.relu.run(None, {"x": self.relu.inputs[0].dequantize(q)})
        numpy.testing.assert_array_equal(y, 0.25 * relu(q).astype(numpy.float32))
        (raw,) = self.relu.run(["y"], {"x": q}, raw=True)
        self.assertEqual(raw.dtype, numpy.int8)
        numpy.testing.assert_array_equal(raw, relu(q))
        y, p = self.mixed.run(["y", "p"], {"x": q})
        self.assertEqual(p.shape, SHAPE)
        numpy.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-5)
        e = numpy.exp(y.astype(numpy.float64))
        numpy.testing.assert_allclose(p, e / e.sum(axis=1, keepdims=True), rtol=1e-5)

    def test_shapes(self):
        q = random_int8(2, 7)
        (y,) = self.relu.run(None, {"x": q}, raw=True)
        numpy.testing.assert_array_equal(y, relu(q))
        self.relu.run(None, {"x": q[0]})
        self.relu.run(None, {"x": numpy.asfortranarray(q)})
        for wrong in (q[:, :11], q.reshape(7, -1), q[:0]):
            with self.assertRaisesRegex(xrun.Error, "has shape"):
                self.relu.run(None, {"x": wrong})

    def test_jobs(self):
        arrays = [random_int8(seed) for seed in range(20)]
        jobs = [self.relu.submit({"x": q}, raw=True, priority=xrun.Priority.HIGH) for q in arrays]
        for q, job in zip(arrays, jobs):
            numpy.testing.assert_array_equal(job.wait(timeout=5.0)["y"], relu(q))
            self.assertTrue(job.done())
            self.assertIs(job.wait(), job.wait())
        self.assertEqual(self.relu.submit({"x": arrays[0]}).wait()["y"].dtype, numpy.float32)

    def test_requests_copy_nothing(self):
        request = self.relu.request()
        x, y = request.input("x"), request.output("y")
        self.assertFalse(x.flags.owndata or y.flags.owndata)
        self.assertEqual(x.__array_interface__["data"], request.input("x").__array_interface__["data"])
        x[...] = 3
        request.submit()
        request.wait()
        self.assertTrue((y == 3).all())
        x[0, 0] = -3
        request.submit()
        self.assertTrue(request.wait_for(5.0))
        self.assertTrue((y[0, 0] == 0).all() and (y[0, 1:] == 3).all())
        del request, self.relu  # the views keep what they show
        self.assertTrue((x[0, 1] == 3).all())

    def test_buffers(self):
        buffer = xrun.Buffer.allocate(self.relu.device, SHAPE[1] * 16, cacheable=False)
        self.assertEqual(len(buffer), 192)
        fd = buffer.export_dma_buf()
        same = xrun.Buffer.import_dma_buf(self.relu.device, fd, 192)
        os.close(fd)
        same.array()[:] = 9
        same.sync_to_device()
        request = self.relu.request()
        request.bind_input("x", buffer)
        request.submit()
        request.wait()
        self.assertTrue((request.output("y") == 9).all())
        self.assertEqual(self.relu.device_bytes("x"), 256)
        with self.assertRaisesRegex(xrun.Error, "needs 256 bytes"):
            request.bind_input("x", buffer, device_layout=True)

    def test_errors_have_code_message_and_hint(self):

        def error_of(call):
            with self.assertRaises(xrun.Error) as caught:
                call()
            return caught.exception

        error = error_of(lambda: xrun.Session("missing.xprog"))
        self.assertEqual(error.code, "invalid")
        self.assertIn("missing.xprog", error.message)
        error = error_of(lambda: xrun.Session(path_of("relu"), device="sim:B4096"))
        self.assertIn("xcompile", error.hint)
        self.assertIn("hint: " + error.hint, str(error))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((again.code, again.message, again.hint), (error.code, error.message, error.hint))
        self.assertIn("no input 'imput'", error_of(lambda: self.relu.run(None, {"imput": 1})).message)
        self.assertIn("no output 'z'", error_of(lambda: self.relu.run(["z"], {"x": random_int8(1)})).message)
        self.assertIn("astype(numpy.float32)",
                      error_of(lambda: self.relu.run(None, {"x": numpy.zeros(SHAPE)})).hint)
        self.assertIn("missing inputs: x", error_of(lambda: self.relu.run(None, {})).message)
        self.assertIn("missing inputs: x", error_of(lambda: self.relu.submit({})).message)
        self.assertIn("arrays of 2", error_of(lambda: self.relu.submit({"x": random_int8(1, 2)})).message)
        self.assertIn("no input 'q'", error_of(lambda: self.relu.request().input("q")).message)
        self.assertIn("nowhere.jpg", error_of(lambda: self.relu.preprocess("nowhere.jpg")).message)

    def codes_until(self, code, session, act):
        """Submits many jobs and does `act` to the last one, which is usually far from done; again until its error says
        `code`, since a job may always be done already."""
        q = random_int8(3)
        for _ in range(200):
            jobs = [session.submit({"x": q}) for _ in range(200)]
            try:
                act(jobs[-1])
            except xrun.Error as error:
                self.assertEqual(error.code, code)
                return jobs  # the others are dropped, and with that cancelled
        self.fail(f"never '{code}'")

    def test_cancelled_and_late_jobs(self):
        slow = xrun.Session(path_of("relu"), device="sim:check,reference", launches=1, requests_per_launch=1)
        jobs = self.codes_until("timeout", slow, lambda job: job.wait(timeout=0.0))
        jobs[-1].wait()  # only the waiting had ended
        self.assertTrue(jobs[-1].done())

        def cancel(job):
            job.cancel()
            job.wait()

        jobs = self.codes_until("cancelled", slow, cancel)
        self.assertTrue(jobs[-1].done())
        late = xrun.Session(path_of("relu"), device="sim:check,reference", launches=1, timeout=1e-6)
        self.codes_until("timeout", late, lambda job: job.wait())

    def test_the_interpreter_lock_is_released(self):
        x = numpy.zeros((3000, *SHAPE[1:]), numpy.int8)
        session = xrun.Session(path_of("relu"), device="sim:check,reference", launches=1)
        ticks, stop = [], threading.Event()

        def tick():
            while not stop.is_set():
                ticks.append(time.monotonic())
                time.sleep(0.001)

        thread = threading.Thread(target=tick)
        thread.start()
        begin = time.monotonic()
        session.run(None, {"x": x})
        end = time.monotonic()
        stop.set()
        thread.join()
        during = [t for t in ticks if begin < t < end]
        self.assertGreater(end - begin, 0.02, "too quick to tell")
        self.assertGreater(len(during), (end - begin) * 1000 / 20)

    def test_threads_share_a_session(self):
        failures = []

        def work(seed):
            for i in range(20):
                q = random_int8(seed * 100 + i)
                if not numpy.array_equal(self.relu.run(None, {"x": q}, raw=True)[0], relu(q)):
                    failures.append(seed)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_profile_says_what_is_modelled(self):
        profile = self.mixed.profile(random_int8(4))
        lines = profile.to_csv().splitlines()
        self.assertEqual(lines[0], "node,op,place,source,step,start_us,microseconds,cycles,macs,utilisation")
        self.assertEqual([(l.node, l.place, l.source) for l in profile.layers],
                         [("relu_0", "overlay", "modelled"), ("relu_1", "overlay", "modelled"),
                          ("dequantize", "cpu", "measured"), ("softmax", "cpu", "measured")])
        self.assertEqual(len(lines), 5)
        self.assertGreater(profile.layers[0].cycles, 0)
        self.assertGreaterEqual(profile.microseconds, sum(l.microseconds for l in profile.layers if l.place == "cpu"))
        self.assertIn("300 MHz", profile.assumptions)

    def test_programs_from_memory(self):
        with open(path_of("relu"), "rb") as file:
            program = xrun.Program.from_bytes(file.read())
        q = random_int8(5)
        (y,) = xrun.Session(program, device=self.relu.device).run(None, {"x": q}, raw=True)
        numpy.testing.assert_array_equal(y, relu(q))
        with self.assertRaises(xrun.Error):
            xrun.Program.from_bytes(b"no program")


if __name__ == "__main__":
    unittest.main()
