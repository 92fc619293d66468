// swift-tools-version: 6.1
import PackageDescription

/// One house, nine floors: an edge points to a lower floor only, and `Tests/PackageTests` asserts it.
let package = Package(
  name: "graft",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "graft", targets: ["graft"]),
    .library(name: "Graft", targets: ["Graft"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/onevcat/Rainbow", from: "4.2.2"),
  ],
  targets: [
    // L0: C kernels, system libraries, JSON, files
    .target(name: "CKernels"),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CEditline", pkgConfig: "libedit", providers: [.apt(["libedit-dev"])]),
    .target(name: "GraftErrors"),
    .target(name: "GraftJSON", dependencies: ["GraftErrors"]),
    .target(name: "GraftFiles", dependencies: ["CLibCrypto", "CZlib", "CZstd", "GraftErrors"]),
    .target(name: "GraftRegularExpressions"),

    // L1: values
    .target(name: "GraftTensors", dependencies: ["CKernels", "COpenBLAS", "GraftErrors"]),
    .target(name: "GraftBatching"),
    .target(name: "GraftTemplates", dependencies: ["GraftErrors", "GraftJSON"]),
    .target(name: "GraftTokenizers", dependencies: ["GraftErrors", "GraftFiles", "GraftJSON", "GraftRegularExpressions"]),
    .target(name: "GraftConfiguration", dependencies: ["GraftErrors", "GraftJSON"]),

    // L2: building blocks
    .target(name: "GraftLayers", dependencies: ["GraftBatching", "GraftErrors", "GraftTensors"]),
    .target(name: "GraftOptimizers", dependencies: ["CKernels", "GraftTensors"]),
    .target(
      name: "GraftDatasets",
      dependencies: ["GraftBatching", "GraftConfiguration", "GraftErrors", "GraftFiles", "GraftJSON", "GraftTemplates", "GraftTokenizers"]),

    // L3: files and training
    .target(
      name: "GraftCheckpoints",
      dependencies: ["CHDF5", "CZlib", "GraftErrors", "GraftFiles", "GraftJSON", "GraftLayers", "GraftTensors", "GraftTokenizers"]),
    .target(
      name: "GraftTraining", dependencies: ["GraftBatching", "GraftConfiguration", "GraftErrors", "GraftLayers", "GraftOptimizers", "GraftTensors"]),

    // L4: what users combine
    .target(
      name: "GraftAdapters",
      dependencies: [
        "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftJSON", "GraftLayers", "GraftRegularExpressions", "GraftTensors",
      ]),
    .target(
      name: "GraftModels",
      dependencies: ["GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftErrors", "GraftJSON", "GraftLayers", "GraftTensors"]),
    .target(name: "GraftGeneration", dependencies: ["GraftBatching", "GraftErrors", "GraftLayers", "GraftTensors"]),

    // L5: recipes and reports
    .target(
      name: "GraftRecipes",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftConfiguration", "GraftDatasets", "GraftErrors", "GraftFiles", "GraftJSON", "GraftLayers",
        "GraftOptimizers", "GraftTensors", .product(name: "Yams", package: "Yams"),
      ]),
    .target(name: "GraftReports", dependencies: ["GraftFiles"]),

    // L6: assembly
    .target(
      name: "GraftSessions",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftDatasets", "GraftErrors", "GraftFiles", "GraftGeneration",
        "GraftJSON", "GraftLayers", "GraftModels", "GraftOptimizers", "GraftRecipes", "GraftReports", "GraftTemplates", "GraftTensors",
        "GraftTokenizers", "GraftTraining",
      ]),

    // L7: comparisons
    .target(
      name: "GraftComparison",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftDatasets", "GraftFiles", "GraftJSON", "GraftLayers",
        "GraftRecipes", "GraftReports", "GraftSessions", "GraftTensors", "GraftTraining",
      ]),

    // L8: the library and the command line
    .target(
      name: "Graft",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftComparison", "GraftConfiguration", "GraftDatasets", "GraftErrors",
        "GraftGeneration", "GraftJSON", "GraftLayers", "GraftModels", "GraftOptimizers", "GraftRecipes", "GraftReports", "GraftSessions",
        "GraftTemplates", "GraftTensors", "GraftTokenizers", "GraftTraining",
      ], path: "Sources/GraftUmbrella"),
    .executableTarget(
      name: "graft",
      dependencies: [
        "CEditline", "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftComparison", "GraftConfiguration", "GraftDatasets", "GraftErrors",
        "GraftFiles",
        "GraftGeneration", "GraftJSON", "GraftLayers", "GraftRecipes", "GraftReports", "GraftSessions", "GraftTensors", "GraftTokenizers",
        "GraftTraining", .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "Rainbow", package: "Rainbow"),
      ]),

    // Tests
    .target(name: "FuzzSupport", dependencies: ["GraftJSON"], path: "Tests/FuzzSupport"),
    .target(name: "GraftTestSupport", dependencies: ["GraftJSON"], path: "Tests/GraftTestSupport"),
    .target(name: "GraftTrainingTestSupport", dependencies: ["GraftTensors", "GraftTraining"], path: "Tests/GraftTrainingTestSupport"),
    .testTarget(name: "GraftJSONTests", dependencies: ["FuzzSupport", "GraftJSON"]),
    .testTarget(name: "GraftErrorsTests", dependencies: ["GraftErrors"]),
    .testTarget(name: "GraftFilesTests", dependencies: ["GraftErrors", "GraftFiles", "GraftTestSupport"]),
    .testTarget(name: "GraftRegularExpressionsTests", dependencies: ["GraftRegularExpressions"]),
    .testTarget(
      name: "GraftTemplatesTests", dependencies: ["FuzzSupport", "GraftJSON", "GraftTemplates", "GraftTestSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftTensorsTests", dependencies: ["GraftJSON", "GraftTensors", "GraftTestSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftBatchingTests", dependencies: ["GraftBatching"]),
    .testTarget(
      name: "GraftTokenizersTests", dependencies: ["FuzzSupport", "GraftJSON", "GraftTestSupport", "GraftTokenizers"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftConfigurationTests", dependencies: ["GraftConfiguration", "GraftJSON"]),
    .testTarget(
      name: "GraftDatasetsTests",
      dependencies: ["FuzzSupport", "GraftBatching", "GraftDatasets", "GraftJSON", "GraftTemplates", "GraftTestSupport", "GraftTokenizers"],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftCheckpointsTests", dependencies: ["FuzzSupport", "GraftCheckpoints", "GraftJSON", "GraftTensors", "GraftTestSupport"],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftOptimizersTests", dependencies: ["GraftJSON", "GraftOptimizers", "GraftTensors", "GraftTestSupport"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftModelsTests",
      dependencies: [
        "GraftBatching", "GraftCheckpoints", "GraftJSON", "GraftLayers", "GraftModels", "GraftOptimizers", "GraftTensors", "GraftTestSupport",
        "GraftTraining",
      ], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftAdaptersTests",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftGeneration", "GraftJSON", "GraftLayers", "GraftModels",
        "GraftOptimizers", "GraftTensors", "GraftTestSupport", "GraftTraining",
      ], exclude: ["Fixtures"]),
    .testTarget(name: "GraftLayersTests", dependencies: ["GraftBatching", "GraftLayers", "GraftTensors", "GraftTestSupport"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftTrainingTests",
      dependencies: [
        "GraftBatching", "GraftLayers", "GraftOptimizers", "GraftTensors", "GraftTestSupport", "GraftTraining", "GraftTrainingTestSupport",
      ], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftGenerationTests",
      dependencies: ["GraftBatching", "GraftGeneration", "GraftJSON", "GraftLayers", "GraftModels", "GraftTensors", "GraftTestSupport"],
      exclude: ["Fixtures"]),
    .testTarget(name: "PackageTests", dependencies: ["GraftJSON", "GraftTestSupport"]),
    // Somebody else's program: it sees what is public, and nothing else.
    .executableTarget(name: "UserProgram", dependencies: ["Graft"], path: "Tests/UserProgram"),
    .testTarget(
      name: "CommandLineTests", dependencies: ["GraftCheckpoints", "GraftErrors", "GraftJSON", "GraftTensors", "GraftTestSupport", "graft"],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftRecipesTests",
      dependencies: [
        "FuzzSupport", "GraftAdapters", "GraftBatching", "GraftConfiguration", "GraftDatasets", "GraftJSON", "GraftLayers", "GraftModels",
        "GraftRecipes", "GraftTestSupport",
      ], exclude: ["Fixtures"]),
    .testTarget(name: "GraftTests", dependencies: ["Graft", "GraftBatching", "GraftTestSupport"]),
    .testTarget(name: "GraftReportsTests", dependencies: ["GraftFiles", "GraftReports", "GraftTestSupport"]),
    .testTarget(
      name: "GraftSessionsTests",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftGeneration", "GraftJSON", "GraftLayers", "GraftModels", "GraftOptimizers",
        "GraftRecipes", "GraftReports", "GraftSessions", "GraftTensors", "GraftTestSupport", "GraftTraining", "GraftTrainingTestSupport",
      ], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftComparisonTests",
      dependencies: ["GraftBatching", "GraftComparison", "GraftJSON", "GraftRecipes", "GraftTestSupport", "GraftTraining"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)

// Scripts/fuzz/all builds it under libFuzzer.
if Context.environment["GRAFT_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "FuzzReaders", dependencies: ["GraftCheckpoints", "GraftDatasets", "GraftTemplates", "GraftTokenizers", "GraftJSON"],
      path: "Scripts/fuzz",
      exclude: ["all", "corpus"]))
}
