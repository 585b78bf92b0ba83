/// All cases on PostgreSQL.
enum PostgresCases {
    static let all: [ContractCase] = IsolationCases.all
}
