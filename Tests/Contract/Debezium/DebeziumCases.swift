/// All cases on the Debezium connector.
enum DebeziumCases {
    static let all: [ContractCase] =
        ConnectorSnapshotCases.all + ChangeEventCases.all + ConnectorRestartCases.all + OutboxRouterCases.all
}
