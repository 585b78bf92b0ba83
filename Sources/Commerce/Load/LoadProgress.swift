import AdapterJSON
import AdapterSystem
import Ports

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A line on the terminal that tells how far a load run is.
struct LoadProgress: Sendable {
    private let book: LoadBook
    private let isShown: Bool

    /// - Parameter isShown: false for machines; neither is it shown where nobody could see it move.
    init(_ book: LoadBook, isShown: Bool) {
        self.book = book
        self.isShown = isShown && isatty(2) == 1
    }

    /// Goes on until the task is cancelled.
    func run() async throws {
        while true {
            try await SystemClock().sleep(for: .milliseconds(200))
            if isShown { show(line) }
        }
    }

    func finish() { if isShown { show(line + "\n") } }

    private var line: String {
        let total = book.entries.count
        let width = 30
        let filled = total == 0 ? 0 : book.finishedCount * width / total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        return "\r[\(bar)] \(book.acceptedCount) accepted, \(book.finishedCount) of \(total) at their end"
    }

    private func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}

/// One JSON document on one line.
enum JSONLine {
    static func text(_ value: JSONValue) -> String { JSONWriter.text(value) }
}
