#if Production
    import AdapterPostgres
    import AdapterSystem
    import Ports
    import Testing

    /// What calls cost against a real server. Not a test of anything: run it when `CONTRACT_COSTS` is set, in a release
    /// build, and read what it prints.
    @Suite("Costs on real servers", .serialized, .enabled(if: RealWorld.variable("CONTRACT_COSTS") != nil))
    struct PostgresCosts {
        @Test(.enabled(if: RealWorld.hasPostgres))
        func postgres() async throws {
            let world = RealWorld()
            let server = try await world.makeDatabase(DatabaseOptions())
            let lazy = server.client(DatabaseOptions(isSynchronousCommit: false))
            try await server.administration.migrate(to: Fixtures.schema)
            _ = try await server.database.executeAtomically([
                .insert(Insert(into: Fixtures.test, rows: [[1, 10], [2, 20]]))
            ])
            let session = try await server.database.connect()
            try await measure("select one row", 5_000) { _ in _ = try await session.execute(Fixtures.read(1)) }
            let tenReads = (0..<10).map { _ in Fixtures.read(1) }
            try await measure("pipeline of 10 selects", 1_000) { _ in _ = try await session.execute(tenReads) }
            await session.close()
            try await measure("transaction: update, synchronous commit", 500) { _ in
                _ = try await server.database.executeAtomically([Fixtures.add(1, to: 1)])
            }
            try await measure("transaction: update, synchronous_commit=off", 3_000) { _ in
                _ = try await lazy.executeAtomically([Fixtures.add(1, to: 1)])
            }
            try await measure("transaction in steps: begin, select, update, commit (off)", 2_000) { _ in
                try await lazy.transaction { session in
                    _ = try await session.execute(Fixtures.read(1, lock: .forUpdate))
                    _ = try await session.execute(Fixtures.add(1, to: 1))
                }
            }
            try await measure("insert of 100 rows (off)", 300) { index in
                let rows = (0..<100).map { [Value.int64(Int64(100_000 + index * 100 + $0)), .int64(0)] }
                _ = try await lazy.executeAtomically([.insert(Insert(into: Fixtures.test, rows: rows))])
            }
            try await measure("8 concurrent synchronous commits, per commit", 800) { base in
                guard base % 8 == 0 else { return }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<8 {
                        group.addTask {
                            let row = Value.int64(Int64(1_000_000 + base + task))
                            let insert = Insert(into: Fixtures.test, rows: [[row, 0]])
                            _ = try await server.database.executeAtomically([.insert(insert)])
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try await stream(server)
            await server.discard()
        }

        private func stream(_ server: any DatabaseServer) async throws {
            try await server.changeStreams.createSlot(Slots.name, tables: ["test"])
            for index in 0..<100 {
                let rows = (0..<10).map { [Value.int64(Int64(2_000_000 + index * 10 + $0)), .int64(0)] }
                _ = try await server.database.executeAtomically([.insert(Insert(into: Fixtures.test, rows: rows))])
            }
            try await Slots.consume(server) { stream in
                let start = SocketReactor.now
                let found = try await stream.collect(100)
                let nanoseconds = SocketReactor.now - start
                print("COST change stream, per row of 1,000: \(nanoseconds / 1_000) ns (\(found.count) transactions)")
            }
        }
    }

    /// Runs `operation` so many times in a row and prints the mean.
    func measure(_ name: String, _ count: Int, _ operation: (Int) async throws -> Void) async throws {
        for index in 0..<min(count / 10, 100) { try await operation(-index - 1) }
        let start = SocketReactor.now
        for index in 0..<count { try await operation(index) }
        let nanoseconds = (SocketReactor.now - start) / Int64(count)
        print("COST \(name): \(nanoseconds / 1_000).\(nanoseconds % 1_000 / 100) us")
    }
#endif
