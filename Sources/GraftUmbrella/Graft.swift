/// Everything, for people who program against Graft.
@_exported import GraftAdapters
@_exported import GraftBatching
@_exported import GraftCheckpoints
@_exported import GraftComparison
@_exported import GraftConfiguration
@_exported import GraftDatasets
@_exported import GraftGeneration
@_exported import GraftJSON
@_exported import GraftLayers
@_exported import GraftModels
@_exported import GraftOptimizers
@_exported import GraftRecipes
@_exported import GraftReports
@_exported import GraftSessions
@_exported import GraftTensors
@_exported import GraftTokenizers
@_exported import GraftTraining
