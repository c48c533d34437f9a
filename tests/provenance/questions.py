"""The competency questions of Workflow Run RO-Crate, as SPARQL on a crate.

The list: https://www.researchobject.org/workflow-run-crate/requirements (CQ1 to CQ11). Queries are
the profile's own, cut to what is asked, but for CQ3 and CQ11, which say what differs.
"""

PREFIXES = """
PREFIX bioschemas: <https://bioschemas.org/>
PREFIX codemeta: <https://codemeta.github.io/terms/>
PREFIX dct: <http://purl.org/dc/terms/>
PREFIX s: <http://schema.org/>
PREFIX wfrun: <https://w3id.org/ro/terms/workflow-run#>
"""
RUN = (
    "?workflow a bioschemas:ComputationalWorkflow . ?run a s:CreateAction ; s:instrument ?workflow"
)
QUESTIONS = {
    "CQ2: how much memory, cpu, disk was used": """
        SELECT ?action ?quantity ?value ?unit WHERE {
            ?action a s:CreateAction ; wfrun:resourceUsage ?usage .
            ?usage a s:PropertyValue ; s:propertyID ?quantity ; s:value ?value .
            OPTIONAL { ?usage s:unitCode ?unit } }""",
    # Of the run: the profile asks the engine's object, where its validator takes no file.
    "CQ3: which configuration files were used": f"""
        SELECT ?file WHERE {{ {RUN} ; s:object ?file . ?file a s:MediaObject }}""",
    "CQ4: which environment file did a step use": """
        SELECT ?step ?file ?format ?profile WHERE {
            ?workflow a s:HowTo, bioschemas:ComputationalWorkflow ; s:step ?step .
            ?step a s:HowToStep ; codemeta:buildInstructions ?file .
            ?file a s:MediaObject ; s:encodingFormat ?format ; dct:conformsTo ?profile }""",
    "CQ5: how long did a component take": """
        SELECT ?action ?start ?end WHERE {
            ?action a s:CreateAction ; s:instrument ?tool .
            ?tool a s:SoftwareApplication .
            ?action s:startTime ?start ; s:endTime ?end }""",
    "CQ6: how long did the workflow take": f"""
        SELECT ?run ?start ?end WHERE {{ {RUN} ; s:startTime ?start ; s:endTime ?end }}""",
    "CQ7: was it successful": """
        SELECT ?action ?status WHERE { ?action a s:CreateAction ; s:actionStatus ?status }""",
    "CQ8: what went into the workflow": f"""
        SELECT ?input WHERE {{ {RUN} ; s:object ?input }}""",
    "CQ8: what came out of the workflow": f"""
        SELECT ?output WHERE {{ {RUN} ; s:result ?output }}""",
    "CQ9: which version of a component was executed": """
        SELECT ?tool ?version WHERE {
            ?action a s:CreateAction ; s:instrument ?tool .
            ?tool a s:SoftwareApplication ; s:softwareVersion ?version }""",
    # Values that the configuration gave to tools: the workflow itself has no formal parameters, so
    # that there is no connection of one to another.
    "CQ11: how were parameters used in tool runs": """
        SELECT ?action ?parameter ?value WHERE {
            ?action a s:CreateAction ; s:instrument ?tool ; s:object ?given .
            ?tool <https://bioschemas.org/ComputationalWorkflow#input> ?parameter .
            ?given s:exampleOfWork ?parameter ; s:value ?value }""",
}
UNANSWERED = {
    "CQ1: which container images were used": "none is, unless cluster.container names one",
    "CQ10: which script wraps up a software component": "scripts call libraries: none wraps a tool",
}
