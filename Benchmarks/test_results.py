"""Tests of the page: `python3 Benchmarks/test_results.py`."""

import unittest

import results


def row(ours, theirs, **case):
    options = {"threads": 2, "rounds": len(ours), "prefix": "", "preload": False, "date": "2026-01-01", "load": 0.5}
    case = {"kind": "train", "preset": "nano", "method": "lora", "precision": "fp32"} | case
    runs = [{"first_loss": 6.25, "trainable_parameters": 16384, "peak_memory_bytes": 2**20} | run for run in ours + theirs]
    return case | {"options": options, "graft": runs[:len(ours)], "peer": {case["precision"]: runs[len(ours):]}}


def speeds(*rates):
    return [{"tokens_per_second": rate, "gemm_peak_gflops": 100, "matrix_tile": "avx2", "model_flops_per_token": 1} for rate in rates]


class Disagreement(unittest.TestCase):
    def test_programs_that_do_the_same_agree(self):
        self.assertIsNone(results.disagreement(row([{}, {}], [{}, {}])))
        self.assertIsNone(results.disagreement(row([{"first_loss": 6.2501}], [{}], precision="bf16")))
        self.assertIsNone(results.disagreement(row([{"first_loss": 6.26}], [{}], method="prefix")))

    def test_another_first_loss_is_told(self):
        for change in [dict(first_loss=6.2502), dict(first_loss=float(6.0))]:
            self.assertIn("first_loss", results.disagreement(row([{}, change], [{}, {}])))
        self.assertIn("first_loss", results.disagreement(row([{"first_loss": 6.252}], [{}], precision="bf16")))
        self.assertIn("first_loss", results.disagreement(row([{"first_loss": 6.3}], [{}], method="prefix")))

    def test_another_method_is_told(self):
        self.assertIn("trainable_parameters is 16384", results.disagreement(row([{}], [{"trainable_parameters": 32768}], method="adapter")))

    def test_a_run_that_failed_disagrees_with_nothing(self):
        failed = row([{}], [{}])
        failed["peer"]["fp32"] = [{"failure": "killed"}]
        self.assertIsNone(results.disagreement(failed))


class Page(unittest.TestCase):
    def page(self, *rows):
        machine = {"processor": "P", "family": "", "model": "", "features": ["avx2"], "cores": 2, "memory": 2**30, "system": "Linux"}
        return results.page({"machine": machine, "rows": list(rows)})

    def test_a_ratio_is_the_median_of_the_rounds_ratios(self):
        # The medians are 30 and 10; the rounds' ratios 1, 30 and 2.
        page = self.page(row(speeds(10, 300, 30), speeds(10, 10, 15)))
        self.assertIn("| LoRA | fp32 | 30.0 | 10.0 | 2.00 (1.00 to 30.00) |", page)
        self.assertIn("| nano | 30.0 (fp32) | 10.0 (fp32) | 2.00 | 100% |", page)

    def test_rows_tell_their_own_conditions(self):
        late = row(speeds(1, 2, 3), speeds(1, 2, 3), preset="tiny")
        late["options"] |= {"date": "2026-01-02", "load": 3, "prefix": "nice"}
        page = self.page(row(speeds(1, 2), speeds(1, 2)), late)
        self.assertIn("- 2026-01-01 to 2026-01-02, medians of 2 to 3 alternating rounds", page)
        self.assertIn("when rows began: 0.5 to 3.0", page)
        self.assertIn("started with `nice` for some of the rows", page)

    def test_memorys_rate_is_what_graft_measured(self):
        figures = [{"tokens_per_second": 1, "decode_tokens_per_second": 1000, "memory_bytes_per_second": rate} for rate in (4e10, 5e10)]
        generation = row(figures, [{"tokens_per_second": 1}] * 2, kind="generate")
        self.assertIn("memory is read at 50.0 GB/s", self.page(generation))
        for run in generation["graft"]:
            run.pop("memory_bytes_per_second")
        self.assertIn("memory is read at (not measured)", self.page(generation))


if __name__ == "__main__":
    unittest.main()
