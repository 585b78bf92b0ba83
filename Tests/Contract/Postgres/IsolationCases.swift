import Ports

enum IsolationCases {
    static let all: [ContractCase] = [
        .postgres(
            "isolation/g0-read-committed",
            "READ COMMITTED: a second writer of a row waits for the first (no dirty write, G0)"
        ) { stage, _ in
            let a = try await stage.session("A", .readCommitted)
            let b = try await stage.session("B", .readCommitted)
            try await a.run(Fixtures.set(1, 11))
            let waiting = b.start(Fixtures.set(1, 12))
            try await waiting.mustWait()
            try await a.run(Fixtures.set(2, 21))
            try await a.commit()
            try await waiting.value()
            try await b.run(Fixtures.set(2, 22))
            try await b.commit()
            let reader = try await stage.session("C")
            try expect(try await reader.all(), equals: [1: 12, 2: 22], "values of the last writer")
        }
    ]
}
