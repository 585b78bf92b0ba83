#if Production
    import Testing

    /// Every case on the real servers: the ground truth for the simulated ones.
    @Suite("Contract on real servers", .serialized)
    struct RealContractTests {
        @Test(
            "PostgreSQL",
            .enabled(if: RealWorld.hasPostgres, "skipped: POSTGRES_URL is not set, so there is no real server"),
            arguments: PostgresCases.all)
        func postgres(_ contractCase: ContractCase) async throws {
            try await contractCase.body(RealWorld())
        }
    }
#endif
