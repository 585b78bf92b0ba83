#if Production
    import Testing

    /// Every case on the real servers: the ground truth for the simulated ones.
    ///
    /// `CONTRACT_ONLY` picks cases by a part of their id, `CONTRACT_VERBOSE` prints how long each took, and
    /// `CONTRACT_RESULTS` names a report to bring up to date.
    @Suite("Contract on real servers", .serialized)
    struct RealContractTests {
        private static func chosen(_ cases: [ContractCase]) -> [ContractCase] {
            guard let part = RealWorld.variable("CONTRACT_ONLY") else { return cases }
            return cases.filter { $0.id.contains(part) }
        }

        @Test(
            "PostgreSQL",
            .enabled(if: RealWorld.hasPostgres, "skipped: POSTGRES_URL is not set, so there is no real server"),
            .timeLimit(.minutes(2)), arguments: chosen(PostgresCases.all))
        func postgres(_ contractCase: ContractCase) async throws { try await run(contractCase) }

        @Test(
            "Kafka",
            .enabled(if: RealWorld.hasKafka, "skipped: KAFKA_BOOTSTRAP is not set, so there is no real cluster"),
            .timeLimit(.minutes(6)), arguments: chosen(KafkaCases.all))
        func kafka(_ contractCase: ContractCase) async throws { try await run(contractCase) }

        @Test(
            "Debezium",
            .enabled(
                if: RealWorld.hasConnect,
                "skipped: CONNECT_URL, KAFKA_BOOTSTRAP and POSTGRES_URL are not all set, so there is no real connector"),
            .timeLimit(.minutes(4)), arguments: chosen(DebeziumCases.all))
        func debezium(_ contractCase: ContractCase) async throws { try await run(contractCase) }

        private func run(_ contractCase: ContractCase) async throws {
            let world = RealWorld()
            let clock = ContinuousClock()
            let start = clock.now
            defer {
                if RealWorld.variable("CONTRACT_VERBOSE") != nil {
                    print(start.duration(to: clock.now), contractCase.id)
                }
            }
            guard ResultsFile.shared != nil else { return try await contractCase.body(world) }
            // Asked first: afterwards a failed case may have left the server down.
            let versions = try await world.versions(contractCase.area)
            try await ResultsFile.recording(contractCase, world: world.name, versions: versions) {
                try await contractCase.body(world)
            }
        }
    }
#endif
