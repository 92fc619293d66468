import Foundation
import GraftErrors
import Testing

@Test("exit statuses are those of sysexits.h")
func exitStatuses() {
  let expected: [ErrorStatus: Int32] = [
    .usage: EX_USAGE, .malformedInput: EX_DATAERR, .missingInput: EX_NOINPUT, .software: EX_SOFTWARE, .systemFailure: EX_OSERR,
    .cannotCreate: EX_CANTCREAT, .inputOutput: EX_IOERR,
  ]
  for status in ErrorStatus.allCases { #expect(status.rawValue == expected[status]) }
}
