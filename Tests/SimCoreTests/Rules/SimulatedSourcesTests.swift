import Foundation
import Testing

@Suite("The sources of simulated code keep to the determinism rules")
struct SimulatedSourcesTests {
    /// Something that a run must not depend on, or that escapes the simulation's executor.
    private struct Rule {
        let name: String
        /// Words without which a line cannot break the rule: they spare most lines the pattern.
        let words: [String]
        let pattern: Regex<AnyRegexOutput>

        init(_ name: String, _ words: [String], _ pattern: String) {
            self.name = name
            self.words = words
            self.pattern = try! Regex(pattern).wordBoundaryKind(.simple)
        }

        func mayBeBroken(by line: Substring) -> Bool { words.contains { line.contains($0) } }
    }

    /// Written once and only read, although a `Regex` is not Sendable.
    private nonisolated(unsafe) static let rules = [
        Rule("Foundation", ["Foundation"], #"\bimport Foundation"#),
        Rule("Dispatch", ["Dispatch"], #"\bimport Dispatch|\bDispatchQueue\b"#),
        Rule(
            "the wall clock", ["Date", "Clock", "clock_gettime", "gettimeofday"],
            #"\bDate\(|\bContinuousClock\b|\bSuspendingClock\b|\bclock_gettime\b|\bgettimeofday\b"#),
        Rule("UUID()", ["UUID"], #"\bUUID\("#),
        Rule(
            "unseeded randomness", ["andom", "huffle"],
            #"\.random\(|\.randomElement\(|\.shuffled\(|\.shuffle\(|\bSystemRandomNumberGenerator\b|\barc4random"#),
        Rule("Task { }", ["Task"], #"\bTask(<[^>]*>)?\s*(\([^)]*\)\s*)?\{|\bTask(<[^>]*>)?\(|\bTask\.immediate\b"#),
        Rule("tasks of the runtime's own", ["Task"], #"\bTask(<[^>]*>)?\.(detached|sleep|yield)\b"#),
        Rule("@MainActor", ["MainActor"], #"@MainActor\b|\bMainActor\."#),
        Rule("a hash value", ["hashValue"], #"\.hashValue\b"#),
        Rule("floating point", ["Double", "Float"], #"\b(Double|Float)\b"#),
        Rule(
            "the environment", ["getenv", "ProcessInfo", "CommandLine"],
            #"\bgetenv\b|\bProcessInfo\b|\bCommandLine\.arguments\b"#),
    ]

    /// Lines that may say what is forbidden: how the executor makes the task of a process, and a sentence about it.
    private static let exceptions: Set<String> = [
        "func spawnRoot(process: ProcessID, _ body: sending @escaping () async -> Void) -> Task<Void, Never> {",
        "let task = Task(executorPreference: self, operation: body)",
        #""\(calls) calls came from another thread: some task escaped the simulation (Task {}, Task.detached, Task.sleep or an actor with an executor of its own)""#,
    ]

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Paths from the root.
    private static func sources(of module: String) -> [String] {
        let folder = "Sources/\(module)"
        let paths =
            FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)?
            .compactMap { $0 as? String } ?? []
        return paths.filter { $0.hasSuffix(".swift") }.sorted().map { "\(folder)/\($0)" }
    }

    /// Lines that break a rule, as `line: rule: text`.
    private static func offences(in text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { number, line -> [String] in
            let candidates = rules.filter { $0.mayBeBroken(by: line) }
            if candidates.isEmpty || exceptions.contains(line.trimmingCharacters(in: .whitespaces)) { return [] }
            let code = withoutComment(line)
            return candidates.filter { code.contains($0.pattern) }.map { "\(number + 1): \($0.name): \(line)" }
        }
    }

    /// The line up to its comment. A `//` within a string literal is no comment.
    private static func withoutComment(_ line: Substring) -> Substring {
        var isInLiteral = false
        var previous: Character = " "
        for index in line.indices {
            let character = line[index]
            if character == "\"", previous != "\\" { isInLiteral.toggle() }
            if character == "/", previous == "/", !isInLiteral { return line[..<line.index(before: index)] }
            previous = character
        }
        return line
    }

    @Test(
        "Nothing in the sources of a simulated module escapes the simulation or differs from run to run",
        arguments: ["Ports", "SimCore", "Outbox", "Domain"])
    func sourcesKeepToTheRules(module: String) throws {
        let paths = Self.sources(of: module)
        #expect(paths.count > 10, "the sources of \(module) were not found")
        for path in paths {
            let text = try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
            let offences = Self.offences(in: text)
            #expect(offences.isEmpty, "\(path): \(offences.joined(separator: "\n"))")
        }
    }

    @Test(
        "Each rule finds what it forbids",
        arguments: [
            "import Foundation", "public import Foundation", "@preconcurrency import Foundation", "import Dispatch",
            "let now = Date()", "let start = ContinuousClock.now", "let id = UUID()", "Int.random(in: 0..<6)",
            "let order = names.shuffled()", "names.randomElement()", "Task { await work() }",
            "Task(priority: .high) { await work() }", "Task<Void, Never> { }", "Task.detached { }",
            "try await Task.sleep(for: .seconds(1))", "await Task.yield()", "@MainActor func show() {}",
            "let bucket = name.hashValue % 8", "let ratio = Double(hits) / Double(all)",
            "let home = getenv(\"HOME\")", "let text = \"http://host\"; let at = Date()",
        ])
    func ruleFinds(line: String) {
        #expect(!Self.offences(in: line).isEmpty)
    }

    @Test(
        "What only looks like it is let through",
        arguments: [
            "// Task { } would escape", "let task = TaskIdentity(1)", "withTaskGroup(of: Void.self) { group in }",
            "let date = DateColumn()", "try Task.checkCancellation()", "if Task.isCancelled { return }",
            "/// A `Date()` differs from run to run.", "func update(_ candidate: Candidate) {}",
        ])
    func lookalikeIsLetThrough(line: String) {
        #expect(Self.offences(in: line).isEmpty)
    }
}
