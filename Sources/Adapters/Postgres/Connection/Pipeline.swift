#if Production
    import Ports

    /// What is sent with one round trip: commands, then a synchronisation point.
    struct Pipeline {
        enum Command {
            /// `BEGIN`, `COMMIT` or `ROLLBACK` with its options.
            case control(String)
            case statement(RenderedStatement, EncodedParameters)
            /// Administration: parameters and results are text.
            case text(String, [String?])
        }

        var commands: [Command] = []
        /// Whether it may make changes durable: it ends in COMMIT, or is a transaction of its own that is not read-only.
        var mayCommit = false

        /// Whether no statement of it can change anything.
        var isReadOnly: Bool {
            commands.allSatisfy { command in
                switch command {
                case .control: true
                case .statement(let statement, _): statement.isReadOnly
                case .text: false
                }
            }
        }
    }

    /// What came back for a pipeline.
    struct PipelineOutcome {
        var results: [StatementResult] = []
        /// Rows of text commands.
        var textRows: [[String?]] = []
        /// The first refusal; commands after it were not run.
        var error: DatabaseError?
        /// Whether the server still has a transaction open (or failed) on the connection.
        var isInTransaction = false
    }
#endif
