import AdapterJSON
import AdapterSystem
import Ports

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How far a load run is: a bar that moves on a terminal, a line a second anywhere else.
struct LoadProgress: Sendable {
    private let book: LoadBook
    private let isShown: Bool
    private let isTerminal = isatty(2) == 1

    /// - Parameter isShown: false for machines.
    init(_ book: LoadBook, isShown: Bool) {
        self.book = book
        self.isShown = isShown
    }

    /// Goes on until the task is cancelled.
    func run() async throws {
        while true {
            try await SystemClock().sleep(for: isTerminal ? .milliseconds(200) : .seconds(1))
            if isShown { show(isTerminal ? "\r" + bar + text : text + "\n") }
        }
    }

    func finish() {
        if isShown { show((isTerminal ? "\r" + bar : "") + text + "\n") }
    }

    private var bar: String {
        let total = book.orderCount
        let width = 30
        let filled = total == 0 ? 0 : book.finishedCount * width / total
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled) + "] "
    }

    private var text: String {
        "\(book.acceptedCount) accepted, \(book.finishedCount) of \(book.orderCount) at their end"
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
