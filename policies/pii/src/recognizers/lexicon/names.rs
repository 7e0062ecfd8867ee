//! Names: given names, surnames, cities, titles, and what companies end in.
//!
//! Sources: the most frequent given names and surnames of the national statistics (United States:
//! <https://www.ssa.gov/oact/babynames/decades/> and <https://www.census.gov/topics/population/genealogy/data/2010_surnames.html>;
//! France: <https://www.insee.fr/fr/statistiques/7633685>; Spain: <https://www.ine.es/dyngs/INEbase/en/operacion.htm?c=Estadistica_C&cid=1254736177009>;
//! Italy: <https://www.istat.it/en/data/interactive-contents/baby-names/>; Netherlands: <https://www.meertens.knaw.nl/nvb/>;
//! Germany: <https://gfds.de/vornamen/beliebteste-vornamen/>), the largest cities of the UN's Demographic Yearbook
//! (<https://unstats.un.org/unsd/demographic-social/products/dyb/>). Lists of this length find common names only: whom they
//! leave out is a blind spot, and it is not the same for everybody.

/// Given names.
pub(super) const GIVEN: &str = "\
aaron|abigail|adam|adrian|ahmed|aisha|alan|albert|alejandra|alejandro|alessandra|alessandro|alex|alexander|alexandra|alexis|\
alfred|ali|alice|alicia|alina|amanda|amelia|amy|ana|andrea|andreas|andrew|andré|angela|anita|anja|anke|anna|anne|annette|\
antje|anthony|antoine|antonio|ariana|arthur|ashley|astrid|aurélie|barbara|bart|beatrice|beatriz|ben|benjamin|bernard|bernd|\
bernhard|birgit|bjorn|björn|bob|brandon|brenda|brian|bruno|camille|carla|carlo|carlos|carmen|carol|caroline|catherine|cecilia|\
chantal|charles|charlotte|chiara|chloe|chloé|christian|christina|christine|christoph|christopher|claire|clara|claude|claudia|\
clémence|concepción|cornelia|cristina|cynthia|céline|daan|dagmar|daniel|daniela|danielle|david|deborah|denise|dennis|diana|\
diego|dieter|dirk|dominik|dominique|donald|donna|dorothea|douglas|edward|eileen|elena|eleonora|elias|elif|elisabeth|elizabeth|\
ella|emily|emma|emmanuel|enrique|eric|erik|erika|ethan|eugene|eva|evelyn|fabian|fabrizio|fatima|fatma|federica|felix|femke|\
fernando|finn|florence|florian|francesca|francesco|francisco|frank|franz|françois|françoise|frederik|friedrich|gabriel|\
gabriele|gabriella|gary|george|georg|gerald|gerhard|gerrit|gertrud|giorgia|giorgio|giovanni|gisela|giulia|giuseppe|gloria|\
gordon|guillaume|guido|gustav|hannah|hanna|hannelore|hans|harold|heather|heike|heinrich|heinz|helen|helena|helga|helmut|\
henrik|henry|herbert|hermann|holger|horst|hugo|ibrahim|ines|inge|ingrid|irene|iris|isabel|isabella|isabelle|jack|jacob|\
jacqueline|jacques|jakob|james|jan|jana|jane|janet|janice|jasmin|jason|javier|jean|jeffrey|jennifer|jens|jeremy|jessica|\
jesús|joachim|joan|johan|johann|johanna|johannes|john|jonas|jonathan|joost|jordan|jorge|jose|josef|joseph|joshua|josé|joyce|\
juan|judith|julia|julian|julie|jürgen|kai|karen|karin|karl|karolina|karsten|katarzyna|katharina|katherine|kathleen|katja|\
katrin|keith|kelly|kenneth|kerstin|kevin|kimberly|klaus|kurt|kyle|lars|laura|lauren|laurent|lea|leah|lena|leon|leonard|\
leonardo|leonie|lieke|linda|lisa|lorenzo|lotte|louis|louise|luca|lucas|lucia|lucy|luigi|luis|lukas|lucía|léa|maarten|madison|\
magdalena|manfred|manon|manuel|manuela|marc|marcel|marco|margaret|maria|mariana|marie|marina|mario|marion|mark|markus|marlene|\
marta|martha|martin|martina|mary|maría|mathieu|matthew|matthias|matteo|maurice|max|maximilian|mehmet|melanie|melissa|mia|\
michael|michaela|michel|michele|michelle|miguel|mike|mohamed|mohammed|monika|monique|muhammad|mustafa|nadia|nadine|nancy|\
natalie|natascha|nathan|nicholas|nico|nicola|nicolas|nicole|niklas|nils|nina|noah|nora|norbert|olga|oliver|olivia|olivier|\
oscar|otto|pablo|pamela|paola|paolo|pascal|patricia|patrick|paul|paula|pauline|pedro|peter|petra|philip|philipp|philippe|\
pierre|pieter|pilar|priya|rachel|rafael|rainer|ralf|ralph|raphael|raymond|rebecca|regina|reinhard|renate|rené|ricardo|richard|\
rita|robert|roberto|roger|roland|rolf|ronald|rosa|rosemarie|rudolf|russell|ruth|ryan|sabine|sabrina|samantha|samuel|sandra|\
sander|sara|sarah|sascha|scott|sean|sebastian|sergio|shannon|sharon|silke|silvia|simon|simone|sofia|sofie|sophia|sophie|\
stefan|stefanie|steffen|stephan|stephanie|stephen|steven|susan|susanne|svenja|sylvie|tamara|tanja|teresa|theo|theodor|\
theresa|thijs|thomas|thorsten|tim|timothy|tobias|tom|torsten|tyler|ulrich|ulrike|ursula|ute|uwe|valentina|valerie|vanessa|\
vera|victor|victoria|viktor|vincent|virginia|volker|walter|waltraud|wayne|werner|wilhelm|willem|william|wolfgang|xavier|yasmin|\
youssef|yusuf|yves|yvonne|zachary|zoe|zoé|álvaro|ángel|émilie|élodie|özlem";

/// Surnames.
pub(super) const SURNAMES: &str = "\
smith|johnson|williams|brown|jones|garcia|miller|davis|rodriguez|martinez|hernandez|lopez|gonzalez|wilson|anderson|thomas|\
taylor|moore|jackson|martin|lee|perez|thompson|white|harris|sanchez|clark|ramirez|lewis|robinson|walker|young|allen|king|\
wright|scott|torres|nguyen|hill|flores|green|adams|nelson|baker|hall|rivera|campbell|mitchell|carter|roberts|gomez|phillips|\
evans|turner|diaz|parker|cruz|edwards|collins|reyes|stewart|morris|morales|murphy|cook|rogers|gutierrez|ortiz|morgan|cooper|\
peterson|bailey|reed|kelly|howard|ramos|kim|cox|ward|richardson|watson|brooks|chavez|wood|james|bennett|gray|mendoza|ruiz|\
hughes|price|alvarez|castillo|sanders|patel|myers|long|ross|foster|jimenez|khan|singh|doe|müller|schmidt|schneider|fischer|\
weber|meyer|wagner|becker|schulz|hoffmann|schäfer|koch|bauer|richter|klein|wolf|schröder|neumann|schwarz|zimmermann|braun|\
krüger|hofmann|hartmann|lange|schmitt|werner|schmitz|krause|meier|lehmann|schmid|schulze|maier|köhler|herrmann|könig|walter|\
mayer|huber|kaiser|fuchs|peters|lang|scholz|möller|weiß|jung|hahn|schubert|vogel|friedrich|keller|günther|frank|berger|\
winkler|roth|beck|lorenz|baumann|franke|albrecht|schuster|simon|ludwig|böhm|winter|kraus|martens|yılmaz|yilmaz|kaya|demir|\
bernard|dubois|petit|durand|leroy|moreau|simon|laurent|lefebvre|michel|bertrand|roux|vincent|fournier|morel|girard|andré|\
lefèvre|mercier|dupont|lambert|bonnet|françois|rossi|russo|ferrari|esposito|bianchi|romano|colombo|ricci|marino|greco|bruno|\
gallo|conti|de luca|costa|giordano|mancini|rizzo|lombardi|moretti|garcía|fernández|gonzález|rodríguez|lópez|martínez|sánchez|\
pérez|gómez|martín|jiménez|hernández|díaz|álvarez|muñoz|romero|gutiérrez|alonso|navarro|domínguez|vázquez|de jong|jansen|\
de vries|van den berg|van dijk|bakker|janssen|visser|smit|meijer|de boer|mulder|de groot|bos|vos|hendriks|van leeuwen|dekker|\
brouwer|de wit|dijkstra|smits|de graaf|van der meer|kowalski|nowak|wiśniewski|novák|horvath|nagy|popescu|ivanov|andersson|\
johansson|karlsson|nilsson|hansen|johansen|olsen|jensen|nielsen|korhonen|virtanen|silva|santos|ferreira|pereira|oliveira";

/// Cities.
pub(super) const CITIES: &str = "\
berlin|hamburg|münchen|munich|köln|cologne|frankfurt|stuttgart|düsseldorf|leipzig|dortmund|essen|bremen|dresden|hannover|\
nürnberg|duisburg|bochum|wuppertal|bielefeld|bonn|münster|karlsruhe|mannheim|augsburg|wiesbaden|potsdam|rostock|kiel|freiburg|\
mainz|erfurt|heidelberg|wien|vienna|graz|linz|salzburg|innsbruck|zürich|zurich|genf|geneva|genève|basel|lausanne|bern|london|\
birmingham|manchester|liverpool|leeds|sheffield|bristol|glasgow|edinburgh|cardiff|belfast|leicester|coventry|nottingham|\
newcastle|southampton|portsmouth|oxford|cambridge|brighton|dublin|cork|galway|limerick|paris|marseille|lyon|toulouse|nantes|\
strasbourg|montpellier|bordeaux|lille|rennes|reims|grenoble|dijon|nîmes|brussels|bruxelles|brussel|antwerp|antwerpen|gent|\
liège|brugge|amsterdam|rotterdam|den haag|the hague|utrecht|eindhoven|groningen|tilburg|almere|breda|nijmegen|maastricht|\
luxembourg|madrid|barcelona|valencia|sevilla|seville|zaragoza|málaga|murcia|bilbao|alicante|granada|lisbon|lisboa|porto|braga|\
roma|rome|milano|milan|napoli|naples|torino|turin|palermo|genova|bologna|firenze|florence|venezia|venice|verona|bari|catania|\
athens|thessaloniki|copenhagen|københavn|aarhus|stockholm|göteborg|gothenburg|malmö|oslo|bergen|trondheim|helsinki|tampere|\
turku|reykjavik|warsaw|warszawa|kraków|łódź|wrocław|poznań|gdańsk|prague|praha|brno|bratislava|budapest|debrecen|bucharest|\
bucurești|cluj napoca|sofia|plovdiv|zagreb|split|ljubljana|maribor|tallinn|tartu|riga|vilnius|kaunas|valletta|nicosia|\
new york|new york city|los angeles|chicago|houston|phoenix|philadelphia|san antonio|san diego|dallas|san jose|austin|\
jacksonville|fort worth|columbus|charlotte|san francisco|indianapolis|seattle|denver|boston|el paso|nashville|detroit|\
oklahoma city|portland|las vegas|memphis|louisville|baltimore|milwaukee|albuquerque|tucson|fresno|sacramento|kansas city|\
atlanta|omaha|raleigh|miami|minneapolis|tulsa|tampa|new orleans|cleveland|pittsburgh|cincinnati|toronto|montreal|montréal|\
vancouver|calgary|edmonton|ottawa|winnipeg|québec|sydney|melbourne|brisbane|perth|adelaide|canberra|mumbai|delhi|bangalore|\
hyderabad|chennai|kolkata|são paulo|rio de janeiro|brasília|tokyo|osaka|kyoto|seoul|busan|singapore|tel aviv|jerusalem|haifa|\
istanbul|ankara|izmir|moscow|kyiv|lviv|cairo|lagos|nairobi|johannesburg|cape town|mexico city|bogotá|lima|buenos aires";

/// Titles that a name follows. A full stop may stand between.
pub(super) const TITLES: &str = "\
mr|mrs|ms|miss|dr|prof|professor|sir|dame|herr|herrn|frau|fr|hr|monsieur|madame|mademoiselle|mme|mlle|señor|señora|señorita|sr|\
sra|srta|don|doña|signor|signora|signorina|sig|dott|dottor|dottoressa|ing|avv|meneer|mevrouw|dhr|mevr|mw";

/// Words that a name follows, at once or after a colon.
pub(super) const INTRODUCE: &str = "\
my name is|name is|i am called|full name|patient name|customer name|mein name ist|ich heiße|ich heisse|vorname|nachname|\
je m'appelle|mon nom est|nom et prénom|me llamo|mi nombre es|nombre completo|mi chiamo|il mio nome è|nome e cognome|\
mijn naam is|ik heet|volledige naam|kind regards|best regards|yours sincerely|mit freundlichen grüßen|viele grüße|cordialement|\
saludos cordiales|cordiali saluti|met vriendelijke groet";

/// What the name of a company or institution ends in.
pub(super) const ENDINGS: &str = "\
gmbh|ag|kg|ohg|ug|se|kgaa|ltd|limited|llc|llp|plc|inc|incorporated|corp|corporation|sarl|sas|sa|spa|srl|bv|nv|oy|ab|aps|\
university|hospital|clinic|bank|klinikum|universität|krankenhaus|stiftung|verein|foundation|institute|holdings";
