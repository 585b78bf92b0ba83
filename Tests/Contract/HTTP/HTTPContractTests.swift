import Testing

/// Every case about HTTP, simulated and over the loopback device: neither needs a server that somebody has to start.
///
/// `CONTRACT_RESULTS` names a report to bring up to date. What libmicrohttpd shows is its real side, since that server is
/// not of this repository; the reactor, which is, has to pass as well but proves nothing about the simulated one.
@Suite("Contract of HTTP", .serialized)
struct HTTPContractTests {
    @Test("Simulated", .timeLimit(.minutes(1)), arguments: HTTPCases.all)
    func simulated(_ contractCase: ContractCase) throws {
        try ResultsFile.recording(contractCase, world: "simulated", versions: nil) {
            try SimulatedHTTPWorld.run(contractCase)
        }
    }

    #if os(Linux)
        @Test(
            "Real, over the loopback device", .timeLimit(.minutes(1)), arguments: HTTPCases.all,
            LoopbackHTTPWorld.Implementation.allCases)
        func loopback(_ contractCase: ContractCase, _ implementation: LoopbackHTTPWorld.Implementation) async throws {
            let world = LoopbackHTTPWorld(implementation: implementation)
            guard let versions = implementation.versions else { return try await contractCase.body(world) }
            try await ResultsFile.recording(contractCase, world: "real", versions: versions) {
                try await contractCase.body(world)
            }
        }
    #endif

    @Test("Every case has an id of its own")
    func ids() {
        let ids = HTTPCases.all.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(ids.count >= 20)
    }
}
