extension String {
    /// The text with spaces behind it, up to so many characters; a longer one is left as it is, and never cut.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

    /// The text with spaces before it, for numbers in a column.
    func rightAligned(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

    /// The words of the text on lines of so many characters at most; a longer word has a line of its own.
    func wrapped(to width: Int) -> [String] {
        var lines: [String] = []
        for word in split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
