"""Gives each run a name of three words that a person can remember, say and type."""

from __future__ import annotations

import hashlib


def run_name(run_id: str) -> str:
    """Returns the name of a run, e.g. `calm-amber-otter`; the same id always has the same name.

    Of a thousand runs hardly ever two have the same one, of a hundred thousand some do.
    """
    number = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big")
    words: list[str] = []
    for choice in (_HOW, _LIKE, _WHO):
        number, place = divmod(number, len(choice))
        words.append(choice[place])
    return "-".join(words)


def _split(text: str) -> list[str]:
    return text.split()


# A word that is added, removed or moved gives all earlier runs other names.
_HOW = _split(
    """
    agile airy alert amiable ample apt balmy bold brave breezy bright brisk calm candid careful
    cheery civil clear clever cordial cosy crisp curious dapper daring deft direct eager early
    earnest easy elated exact fair famous fancy fast fine firm fleet fluent fond frank free
    fresh friendly frugal gallant genial gentle genuine glad gleeful glowing good graceful
    grand happy hardy hearty helpful honest hopeful humble ideal jaunty jolly jovial joyful
    keen kind lively logical loyal lucid lucky mellow merry mighty mindful modest neat nimble
    noble patient peaceful playful plucky polite prompt proper proud prudent quick quiet rapid
    ready regal rested robust serene sharp sincere smart smooth snug social sound spry stable
    steady stout sturdy subtle sunny sure swift tactful thankful thrifty tidy tranquil trim
    trusty upbeat valiant vivid warm willing wise witty worthy zesty
    """
)
_LIKE = _split(
    """
    agate almond alpine amber apple apricot aqua arctic ashen aspen autumn azure bamboo basalt
    beige birch bronze cedar cerulean cherry chestnut cinnamon citrus clay clover cobalt coffee
    copper coral cork cotton cream crimson crystal cyan dawn denim desert dusk ebony elm
    emerald ember fern flax flint forest frost garnet ginger glacier glass golden granite grape
    green hazel heather honey indigo iris iron ivory jade jasper juniper khaki lagoon larch
    lavender lemon lilac lime linen lunar magenta mango maple marble marine maroon meadow mint
    misty mocha moss nectar nickel nutmeg oaken ocean ochre olive onyx opal orange orchid peach
    pearl pebble pewter pine pink plum polar poppy prairie purple quartz rainy river rosy ruby
    russet saffron sage sand satin scarlet sepia silk silver slate snowy solar spruce summer
    teal timber topaz tulip umber velvet violet walnut willow winter woolen yellow zinc
    """
)
_WHO = _split(
    """
    albatross alpaca antelope auk avocet badger barbet beaver beetle bison bittern bobcat
    bonobo bulbul bunting buzzard camel caracal caribou cicada condor coot cormorant corgi
    coyote crane cricket curlew deer dingo dipper dolphin dove dragonfly duck dunlin eagle
    egret eider elk falcon ferret finch firefly flamingo fox gannet gazelle gecko gibbon
    giraffe goose gopher grebe grouse gull hare hawk hedgehog heron hoopoe hornbill hummingbird
    ibex ibis iguana impala jackdaw jaguar jay kestrel kingfisher kite kiwi koala lapwing lark
    lemur leopard linnet llama loon lynx macaw magpie manatee marmot marten martin meerkat
    merlin mole moose moth narwhal newt nightjar ocelot octopus okapi orca oriole osprey otter
    owl panda panther parrot pelican penguin petrel pheasant pika pipit plover porpoise puffin
    puma quail rabbit raven robin salmon seal shrike sparrow squirrel starling stork swallow
    swan swift tapir tern thrush tiger toucan trout turtle viper vole walrus warbler weasel
    whale wombat wren yak zebra
    """
)
