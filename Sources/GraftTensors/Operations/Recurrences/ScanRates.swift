import CKernels

/// Returns the rates at which the states of some channels fade, `-exp(logarithms)`, `[size, channels]` of `[channels, size]`.
func scanRates(_ logarithms: Tensor, channels: Int) -> Tensor {
  let size = logarithms.elementCount / channels
  let rates = Tensor(uninitialized: [size, channels])
  graft_scan_rates(rates.mutablePointer, logarithms.pointer, channels, size)
  return rates
}
