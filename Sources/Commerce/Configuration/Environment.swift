import AdapterHTTP
import Ports

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A setting that cannot be used: which one, what it holds, and what was expected. Says nothing of a secret's content.
struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    let variable: String
    let problem: String

    var description: String { "\(variable): \(problem)" }
}

/// Settings from the environment. Each may be given as `NAME`, or as `NAME_FILE`, the path of a file whose first line holds
/// it: so that a secret need not stand in the environment.
struct Environment: Sendable {
    private let read: @Sendable (String) -> String?
    /// The names of all variables that there are.
    private let names: @Sendable () -> [String]

    /// - Parameter values: what to read instead of the process's environment.
    init(_ values: [String: String]) {
        read = { values[$0] }
        names = { values.keys.sorted() }
    }

    /// The process's own environment.
    static let process = Environment()

    private init() {
        read = { name in getenv(name).map { String(cString: $0) } }
        names = { Self.namesOfProcess }
    }

    private static var namesOfProcess: [String] {
        var names: [String] = []
        var index = 0
        while let entry = environ[index] {
            names.append(String(String(cString: entry).prefix { $0 != "=" }))
            index += 1
        }
        return names.sorted()
    }

    /// The value as it was given; `nil` when it was not, or is empty.
    ///
    /// - Throws: ``ConfigurationError`` for a file that cannot be read.
    func given(_ variable: Variable) throws(ConfigurationError) -> String? {
        let direct = read(variable.name).flatMap { $0.isEmpty ? nil : $0 }
        guard let path = read(variable.name + "_FILE"), !path.isEmpty else { return direct }
        guard direct == nil else {
            throw ConfigurationError(
                variable: variable.name, problem: "is set, and so is \(variable.name)_FILE; expected one of them")
        }
        guard let line = Self.firstLine(ofFile: path) else {
            throw ConfigurationError(
                variable: variable.name + "_FILE",
                problem: "'\(path)' cannot be read: \(String(cString: strerror(errno)))")
        }
        return line.isEmpty ? nil : line
    }

    /// Refuses a variable that is there and empty, where to be there or not makes a difference: it was meant to hold something.
    func refuseEmpty(_ variables: [Variable], otherwise: String) throws(ConfigurationError) {
        for variable in variables where try given(variable) == nil {
            for name in [variable.name, variable.name + "_FILE"] where read(name) != nil {
                throw ConfigurationError(
                    variable: name,
                    problem:
                        "is set and holds nothing; expected \(variable.meaning), or not to be set at all: \(otherwise)")
            }
        }
    }

    /// Refuses a variable whose name begins like those of `variables` and is none of them: a misspelt one would go unnoticed.
    func refuseUnknown(_ prefix: String, _ variables: [Variable]) throws(ConfigurationError) {
        let known = variables.flatMap { [$0.name, $0.name + "_FILE"] }
        for name in names() where name.hasPrefix(prefix) && !known.contains(name) {
            throw ConfigurationError(
                variable: name,
                problem: "is no setting; expected one of \(variables.map(\.name).joined(separator: ", "))")
        }
    }

    private static func firstLine(ofFile path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { return nil }
        return String(decoding: bytes[..<count].prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
    }

    // MARK: Typed

    /// - Throws: ``ConfigurationError`` when it is neither given nor has a default.
    func text(_ variable: Variable) throws(ConfigurationError) -> String {
        if let given = try given(variable) { return given }
        guard !variable.defaultText.isEmpty else {
            throw ConfigurationError(variable: variable.name, problem: "is not set; expected \(variable.meaning)")
        }
        return variable.defaultText
    }

    func integer(_ variable: Variable, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        let text = try text(variable)
        guard let value = Int(text), range.contains(value) else {
            throw wrong(variable, text, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A span given in milliseconds, at least one and at most thirty days.
    func milliseconds(_ variable: Variable) throws(ConfigurationError) -> Nanoseconds {
        .milliseconds(Int64(try integer(variable, in: 1...2_592_000_000)))
    }

    /// Where a server is, as `http://host:port`.
    func address(_ variable: Variable) throws(ConfigurationError) -> HTTPAddress {
        let text = try text(variable)
        guard let address = HTTPAddress(url: text) else { throw wrong(variable, text, "http://host:port") }
        return address
    }

    func logLevel() throws(ConfigurationError) -> LogLevel {
        let text = try text(Variables.logLevel)
        guard let level = LogLevel.allCases.first(where: { "\($0)" == text.lowercased() }) else {
            throw wrong(Variables.logLevel, text, "debug, info, warning or error")
        }
        return level
    }

    func wrong(_ variable: Variable, _ found: String, _ expected: String) -> ConfigurationError {
        let shown = variable.isSecret ? "its value" : "'\(String(found.prefix(80)))'"
        return ConfigurationError(variable: variable.name, problem: "\(shown) is not usable; expected \(expected)")
    }
}
