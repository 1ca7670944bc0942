/**
 * `foliometer completion SHELL`: a completion script, written from the same declarations that --help prints.
 */
import { type Command, Argument, type Option } from "commander";
import { EXIT_DONE } from "./exit-codes.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

const EXAMPLES = `
Examples:
  foliometer completion bash > /etc/bash_completion.d/foliometer
  foliometer completion zsh > "\${fpath[1]}/_foliometer"
  foliometer completion fish > ~/.config/fish/completions/foliometer.fish`;

/** Adds the command. */
export function addCompletion(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("completion")
    .description("print a completion script")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText("after", EXAMPLES)
    .action(async (shell: Shell) =>
      run(async () => {
        const { SCHEMES } = await import("../schemes/index.ts");
        process.stdout.write(
          formatCompletion(
            program,
            shell,
            SCHEMES.map(({ id }) => id),
          ),
        );
        return EXIT_DONE;
      }),
    );
}

/** The script for a shell. `schemeIds` are offered where a command's first argument is a scheme. */
export function formatCompletion(program: Command, shell: Shell, schemeIds: readonly string[] = []): string {
  const commands = program.commands.map((command) => describe(command, schemeIds));
  switch (shell) {
    case "bash":
      return bashScript(commands);
    case "zsh":
      return zshScript(commands);
    case "fish":
      return fishScript(commands);
  }
}

/** An argument of this name is a scheme's id or a file. */
const SCHEME = "scheme";

/** A command as completion sees it. */
interface Described {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Option[];
  /** Choices of its first argument, or its own commands; none: a directory, or a file. */
  readonly choices: readonly string[];
  /** Its first argument may be a file. */
  readonly takesFile: boolean;
}

function describe(command: Command, schemeIds: readonly string[]): Described {
  const argument = command.registeredArguments[0]?.name() ?? "";
  const named = argument === SCHEME ? schemeIds : command.commands.map((own) => own.name());
  return {
    name: command.name(),
    summary: command.description(),
    options: optionsOf(command),
    choices: command.registeredArguments[0]?.argChoices ?? named,
    takesFile: ["file", "what", SCHEME].includes(argument),
  };
}

/** Options of the command and of the commands below it, each once. */
function optionsOf(command: Command): Option[] {
  const visible = [command, ...command.commands].flatMap((each) => [...each.createHelp().visibleOptions(each)]);
  return [...new Map(visible.map((option) => [option.flags, option])).values()];
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

/** The command whose options apply where none is named yet. */
const DEFAULT_COMMAND = "report";

function bashScript(commands: readonly Described[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const cases = commands.map(({ name, options, choices, takesFile }) => {
    const flags = options.flatMap(flagsOf).join(" ");
    return `    ${name}) words="${[flags, ...choices].join(" ")}"${takesFile ? " paths=f" : ""} ;;`;
  });
  // Options of one name take other values in other commands.
  const valueCases = commands.flatMap(({ name, options }) =>
    options.flatMap((option) => {
      if (option.argChoices === undefined) return [];
      const patterns = flagsOf(option).map((flag) => `"${name} ${flag}"`);
      const words = option.argChoices.join(" ");
      return [`    ${patterns.join("|")}) COMPREPLY=($(compgen -W "${words}" -- "$current")); return ;;`];
    }),
  );
  return `# bash completion for foliometer
_foliometer() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command=${DEFAULT_COMMAND} words="" paths=d word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " ${names} " in *" $word "*) command="$word"; break ;; esac
  done
  case "$command $previous" in
${valueCases.join("\n")}
  esac
  case "$command" in
${cases.join("\n")}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="$words ${names}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case "$current" in -*) ;; *) COMPREPLY+=($(compgen -$paths -- "$current")) ;; esac
}
complete -o filenames -F _foliometer foliometer
`;
}

function zshScript(commands: readonly Described[]): string {
  const quoted = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, "\\$&");
  const described = commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`).join("\n");
  const cases = commands.map(({ name, options, choices, takesFile }) => {
    const specs = options.flatMap((option) => {
      const value = takesValue(option) ? `:value:(${(option.argChoices ?? []).join(" ")})` : "";
      return flagsOf(option).map((flag) => `'${flag}[${quoted(option.description)}]${value}'`);
    });
    const paths = takesFile ? "'*:file:_files'" : "'*:directory:_files -/'";
    const words = choices.join(" ");
    const named = takesFile ? `'*:argument:{ compadd ${words}; _files }'` : `'*:argument:(${words})'`;
    const argument = choices.length > 0 ? named : paths;
    return `    ${name}) _arguments ${[...specs, argument].join(" ")} ;;`;
  });
  return `#compdef foliometer
_foliometer() {
  local -a commands
  commands=(
${described}
  )
  local command=${DEFAULT_COMMAND}
  if (( CURRENT == 2 )); then _describe command commands; fi
  if (( CURRENT > 2 )) && [[ -n \${commands[(r)$words[2]:*]} ]]; then
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${cases.join("\n")}
  esac
}
_foliometer "$@"
`;
}

function fishScript(commands: readonly Described[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const names = commands.map(({ name }) => name).join(" ");
  const lines = commands.flatMap(({ name, summary, options, choices, takesFile }) => {
    const named = `__fish_seen_subcommand_from ${name}`;
    const others = names.replace(DEFAULT_COMMAND, "").trim();
    const condition = name === DEFAULT_COMMAND ? `not __fish_seen_subcommand_from ${others}` : named;
    return [
      `complete -c foliometer -n 'not __fish_seen_subcommand_from ${names}' -a ${name} -d ${quoted(summary)}`,
      ...options.map((option) => {
        const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
        const long = option.long === undefined ? "" : ` -l ${option.long.slice(2)}`;
        const value = option.argChoices === undefined ? " -r" : ` -x -a ${quoted(option.argChoices.join(" "))}`;
        return `complete -c foliometer -n '${condition}'${short}${long}${takesValue(option) ? value : ""} -d ${quoted(option.description)}`;
      }),
      ...(choices.length > 0
        ? [`complete -c foliometer -n '${named}'${takesFile ? "" : " -x"} -a ${quoted(choices.join(" "))}`]
        : []),
    ];
  });
  return `# fish completion for foliometer\n${lines.join("\n")}\n`;
}
